import assert from "node:assert/strict";
import { youngCollector } from "./young_buffers.ts";

Deno.test("young garbage is collected after every so many bytes, and not otherwise", () => {
  const collected: string[] = [];
  const read = youngCollector(({ type }) => collected.push(type), 100);
  for (let i = 0; i < 9; i++) read(11);
  assert.deepEqual(collected, []);
  read(1);
  assert.deepEqual(collected, ["minor"]);
  read(99);
  read(500);
  assert.deepEqual(collected, ["minor", "minor"]);
});

Deno.test("without the engine's collector nothing is asked for", () => {
  const read = youngCollector(undefined, 1);
  read(1000);
});
