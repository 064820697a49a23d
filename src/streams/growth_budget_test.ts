import assert from "node:assert/strict";
import { GrowthBudget, type GrowthShare } from "./growth_budget.ts";

/** What a window does at its end. */
function leave(budget: GrowthBudget, share: GrowthShare): void {
  budget.content(share);
  budget.release(share, share.bytes);
}

Deno.test("one window takes half of a budget at most, no more than HTTP/2 can count, and nothing where it wants nothing", () => {
  const budget = new GrowthBudget(1000);
  const share = budget.join();
  assert.equal(budget.take(share, 0, 0), 0);
  assert.equal(budget.take(share, -1, 0), 0);
  assert.equal(budget.take(share, 1, 0), 1);
  assert.equal(budget.take(share, 2000, 0), 499);
  assert.equal(budget.take(share, 2000, 0), 0);
  assert.deepEqual([share.bytes, budget.remaining], [500, 500]);
  const large = new GrowthBudget(2 ** 40);
  assert.equal(large.take(large.join(), 2 ** 39, 0), 2 ** 30);
});

Deno.test("while one is refused its part, others have a surplus, and the refusal is forgotten after a second", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third] = [budget.join(), budget.join(), budget.join()];
  assert.equal(budget.take(first, 450, 0), 450);
  assert.equal(budget.take(second, 450, 0), 450);
  assert.equal(budget.surplus(first, 0), 0, "nobody wants anything");
  assert.equal(budget.take(third, 100, 5), 0);
  assert.equal(budget.surplus(first, 5), 150);
  assert.equal(budget.surplus(third, 5), 0);
  assert.equal(budget.surplus(first, 1004), 150);
  assert.equal(budget.surplus(first, 1005), 0);
  assert.equal(budget.surplus(first, 5), 0, "it is forgotten");
});

Deno.test("where others wait for their part nobody takes more than that, and who waits takes what comes back", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third, fourth] = [budget.join(), budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 450, 0);
  budget.take(third, 300, 0);
  budget.release(first, 400);
  assert.equal(budget.take(first, 400, 0), 250, "up to a third of all");
  assert.equal(budget.take(third, 400, 0), 150, "what is left");
  assert.equal(budget.surplus(second, 0), 150, "it is still refused");
  budget.release(second, 150);
  assert.equal(budget.take(third, 150, 0), 150);
  assert.equal(budget.surplus(second, 0), 0, "it has its part");
  assert.equal(budget.remaining, 0);
  assert.equal(budget.take(fourth, 1, 0), 0);
  assert.equal(budget.surplus(third, 0), 75, "a fourth wants its part");
});

Deno.test("a window that is content or gone counts no more, and its bytes are free", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third] = [budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 450, 0);
  budget.take(third, 1, 0);
  budget.content(third);
  assert.equal(budget.surplus(first, 0), 0);
  budget.take(third, 1, 0);
  leave(budget, third);
  assert.equal(budget.surplus(first, 0), 0);
  leave(budget, second);
  assert.deepEqual([second.bytes, budget.remaining], [0, 450]);
  // Two are left to share: each may have half.
  assert.equal(budget.take(third, 900, 0), 450);
  assert.equal(budget.surplus(first, 0), 0);
});

Deno.test("of several that are refused each is forgotten in its own time, the one that asked again last", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third, fourth] = [budget.join(), budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 450, 0);
  budget.take(third, 1, 0);
  budget.take(fourth, 1, 500);
  assert.equal(budget.surplus(first, 500), 225);
  assert.equal(budget.surplus(first, 1000), 150, "one is forgotten");
  budget.take(third, 1, 1000);
  assert.equal(budget.surplus(first, 1499), 225);
  assert.equal(budget.surplus(first, 1500), 150, "the other one");
  assert.equal(budget.surplus(first, 2000), 0);
});

Deno.test("who alone is refused may take up to half when it asks again, and who is not alone no more than its part", () => {
  const alone = new GrowthBudget(900);
  const [first, second, third] = [alone.join(), alone.join(), alone.join()];
  alone.take(first, 450, 0);
  alone.take(second, 450, 0);
  alone.take(third, 1, 0);
  alone.release(first, 450 - 1);
  alone.release(second, 100);
  assert.equal(alone.take(third, 900, 0), 450);
  const two = new GrowthBudget(900);
  const [a, b, c, d] = [two.join(), two.join(), two.join(), two.join()];
  two.take(a, 450, 0);
  two.take(b, 450, 0);
  two.take(c, 1, 0);
  two.take(d, 1, 0);
  two.release(a, 449);
  assert.equal(two.take(c, 900, 0), 225);
});

Deno.test("a window that got what it wanted, or has its part, takes nothing from others", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third] = [budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 150, 0);
  assert.equal(budget.take(third, 50, 0), 50);
  assert.equal(budget.surplus(first, 0), 0);
  assert.equal(budget.take(third, 900, 0), 250, "up to its third");
  assert.equal(budget.surplus(first, 0), 0);
});

Deno.test("a window that has given everything back is none of those that share", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third, fourth] = [budget.join(), budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 150, 0);
  budget.take(third, 300, 0);
  budget.release(second, 150);
  assert.equal(budget.take(fourth, 900, 0), 150);
  assert.equal(budget.surplus(first, 0), 150);
});

Deno.test("of two that are left each may keep half, although one of them still waits", () => {
  const budget = new GrowthBudget(900);
  const [first, second, third] = [budget.join(), budget.join(), budget.join()];
  budget.take(first, 450, 0);
  budget.take(second, 450, 0);
  budget.take(third, 1, 0);
  leave(budget, second);
  assert.equal(budget.surplus(first, 0), 0);
});

Deno.test("who was refused long ago, or has what it asked for since, limits nobody", () => {
  const refused = () => {
    const budget = new GrowthBudget(900);
    const [first, second, third] = [budget.join(), budget.join(), budget.join()];
    budget.take(first, 450, 0);
    budget.take(second, 450, 0);
    budget.take(third, 1, 0);
    budget.release(first, 100);
    return { budget, first, third };
  };
  const old = refused();
  assert.equal(old.budget.take(old.first, 100, 999), 0);
  assert.equal(old.budget.take(old.first, 100, 1000), 100);
  const served = refused();
  assert.equal(served.budget.take(served.third, 1, 0), 1);
  assert.equal(served.budget.surplus(served.first, 0), 0);
});
