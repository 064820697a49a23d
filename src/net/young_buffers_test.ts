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

Deno.test("launchers, compiled programs and what is measured start with the same flags of the engine, its collector among them", async () => {
  const flags = await Promise.all(["tools/launch.sh", "tools/compile.ts", "tests/bench/bench.ts"].map(async (file) => {
    const text = await Deno.readTextFile(new URL(`../../${file}`, import.meta.url));
    return /--v8-flags=[\w,=-]+/.exec(text)?.[0];
  }));
  assert.deepEqual(new Set(flags), new Set(["--v8-flags=--expose-gc,--heap-growing-percent=300"]));
});
