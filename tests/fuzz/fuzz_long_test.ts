import assert from "node:assert/strict";
import { fuzz } from "./fuzz.ts";

Deno.test("a fuzz of half a minute ends no program, stalls no tunnel and stops no health page", async () => {
  const { faults, connections } = await fuzz({
    seed: 2,
    seconds: 30,
    settleSeconds: 0,
    // Other tests keep the machine busy.
    hangMs: 60_000,
    concurrency: 8,
    report: () => {},
  });
  assert.deepEqual(faults, []);
  assert.ok(connections > 150, `only ${connections} scripts were played`);
});
