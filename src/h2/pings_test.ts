import assert from "node:assert/strict";
import { Pings } from "./pings.ts";

Deno.test("answers are for this side's pings in their order, each once, and others mean nothing", () => {
  const told: string[] = [];
  const pings = new Pings();
  const strange = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  pings.answered(strange);
  pings.answered(Uint8Array.of(0x70));
  pings.answered(new Uint8Array(0));
  const [first, second] = [pings.probe(() => told.push("first")), pings.probe(() => told.push("second"))];
  const drain = pings.drain(() => told.push("drained"));
  assert.deepEqual([first.toHex(), second.toHex(), drain.toHex()], [
    "7000000000000000",
    "7000000000000000",
    "6400000000000000",
  ]);
  pings.answered(strange);
  assert.deepEqual(told, []);
  pings.answered(drain);
  pings.answered(first);
  pings.answered(drain);
  pings.answered(second);
  pings.answered(second);
  assert.deepEqual(told, ["drained", "first", "second"]);
});
