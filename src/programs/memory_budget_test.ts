import assert from "node:assert/strict";
import { flowLimits } from "../mux/flow_limits.ts";
import { http2Settings } from "../net/http2/http2_settings.ts";
import { collectEveryBytes } from "../runtime/memory/young_buffers.ts";
import { memoryBudget, neededBytes } from "./memory_budget.ts";

const mebibyte = 1024 * 1024;

Deno.test("without a limit a process buffers as much as its protocols allow", () => {
  assert.deepEqual(memoryBudget(undefined), { windowGrowthBytes: flowLimits.growthBudgetBytes, collectEveryBytes });
});

Deno.test("a large limit leaves windows and collections as they are without one", () => {
  const budget = memoryBudget(1024 * mebibyte);
  assert.equal(budget.windowGrowthBytes, flowLimits.growthBudgetBytes);
  assert.equal(budget.collectEveryBytes, collectEveryBytes);
  assert.equal(budget.streamWindowBytes, http2Settings.initialWindowSize);
});

Deno.test("what a limit leaves beside the program bounds what is buffered, and links later than their endpoints", () => {
  const rest = (64 - 35) * mebibyte;
  assert.deepEqual(memoryBudget(64 * mebibyte), {
    windowGrowthBytes: Math.floor(rest / 4),
    collectEveryBytes: Math.floor(rest / 8),
    mostHeldBytes: { endpoint: Math.floor(rest * 0.4), link: Math.floor(rest / 2) },
    streamWindowBytes: Math.floor(rest / 256),
  });
});

Deno.test("a limit below what the program takes leaves the least that tunnels can work with", () => {
  for (const limit of [1, 16 * mebibyte, 35 * mebibyte]) {
    assert.deepEqual(memoryBudget(limit), {
      windowGrowthBytes: 0,
      collectEveryBytes: mebibyte / 2,
      mostHeldBytes: { endpoint: 2 * mebibyte, link: 3 * mebibyte },
      streamWindowBytes: 64 * 1024,
    });
  }
});

Deno.test("threads of one process share its limit", () => {
  const four = memoryBudget(512 * mebibyte, 4);
  const all = 4 * (four.mostHeldBytes?.link ?? Infinity);
  assert.ok(all <= (512 - 35 - 3 * 25) / 2 * mebibyte);
  assert.ok(4 * four.windowGrowthBytes <= (512 - 35 - 3 * 25) / 4 * mebibyte);
});

Deno.test("a program needs 40 MiB under load, and 30 more for each further thread", () => {
  assert.equal(neededBytes(), 40 * mebibyte);
  assert.equal(neededBytes(3), (40 + 2 * 30) * mebibyte);
});
