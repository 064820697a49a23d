import assert from "node:assert/strict";
import { FloodBudget } from "./flood_budget.ts";
import { h2Limits } from "./limits.ts";

function spend(budget: FloodBudget, count: number): boolean {
  for (let i = 0; i < count; i++) if (!budget.take(1)) return false;
  return true;
}

Deno.test("a burst is allowed, and not one more", () => {
  const budget = new FloodBudget(() => 0);
  assert.ok(spend(budget, h2Limits.idleFrameBurst));
  assert.ok(!budget.take(1));
});

Deno.test("time gives back", () => {
  let now = 0;
  const budget = new FloodBudget(() => now);
  spend(budget, h2Limits.idleFrameBurst);
  now = 2000;
  assert.ok(spend(budget, 2 * h2Limits.idleFramesPerSecond - 1));
  assert.ok(!spend(budget, 2));
});

Deno.test("a connection that pings every ten seconds for a year is left alone", () => {
  let now = 0;
  const budget = new FloodBudget(() => now);
  for (let i = 0; i < 365 * 24 * 360; i++) {
    now += 10_000;
    assert.ok(budget.take(1));
  }
});

Deno.test("rest earns no more than one burst", () => {
  let now = 0;
  const budget = new FloodBudget(() => now);
  now = 1e9;
  assert.ok(spend(budget, 2 * h2Limits.idleFrameBurst - 1), "the first, and the one that time gave");
  assert.ok(!spend(budget, h2Limits.idleFrameBurst));
});

Deno.test("each DATA frame that is sent pays for the answers to it, and for no more", () => {
  const budget = new FloodBudget(() => 0);
  for (let i = 0; i < 100_000; i++) {
    budget.earn(h2Limits.idleFramesPerDataSent);
    assert.ok(spend(budget, h2Limits.idleFramesPerDataSent));
  }
  assert.ok(spend(budget, h2Limits.idleFrameBurst - h2Limits.idleFramesPerDataSent), "a full budget earns nothing");
  budget.earn(h2Limits.idleFramesPerDataSent);
  assert.ok(!spend(budget, h2Limits.idleFramesPerDataSent + 1));
});

Deno.test("what time gives is counted to the last frame", () => {
  let now = 0;
  const budget = new FloodBudget(() => now);
  assert.ok(budget.take(h2Limits.idleFrameBurst));
  assert.ok(!budget.take(1));
  now = 1002;
  assert.ok(budget.take(h2Limits.idleFramesPerSecond), "one that was taken in vain, and those of a second");
  assert.ok(!budget.take(1));
});
