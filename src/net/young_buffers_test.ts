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

Deno.test("launchers and compiled programs start with the engine's collector", async () => {
  for (const file of ["tools/launch.sh", "tools/compile.ts"]) {
    const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
    assert.ok(text.includes("--v8-flags=--expose-gc"), file);
  }
});
