import assert from "node:assert/strict";
import { fuzz } from "./fuzz.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { http2Script } from "./http2_scripts.ts";

Deno.test("a seed gives the same scripts each time, and another seed gives others", () => {
  const script = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => http2Script(random, { addresses: ["127.0.0.1:1"], metadata: [] }));
  };
  assert.deepEqual(script(7), script(7));
  assert.notDeepEqual(script(7), script(8));
});

Deno.test("mutation leaves messages alone at rate 0 and changes them at rate 1", () => {
  const messages = Array.from({ length: 50 }, (_, at) => new Uint8Array(20).fill(at));
  assert.deepEqual(mutate(new Random(1), messages, 0), messages);
  assert.notDeepEqual(mutate(new Random(1), messages, 1), messages);
});

Deno.test("a fuzz of some seconds ends no program, stalls no tunnel and stops no health page", async () => {
  const { faults, connections } = await fuzz({
    seed: 1,
    seconds: 3,
    settleSeconds: 0,
    // Other tests keep the machine busy.
    hangMs: 60_000,
    concurrency: 8,
    servers: ["grpc-tls", "connect-tls"],
    report: () => {},
  });
  assert.deepEqual(faults, []);
  assert.ok(connections > 15, `only ${connections} scripts were played`);
});
