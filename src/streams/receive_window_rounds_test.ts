import assert from "node:assert/strict";
import { GrowthBudget } from "./growth_budget.ts";
import { ReceiveWindow } from "./receive_window.ts";

const kib = 1024;
const initialBytes = 256 * kib;

/** A window on a link whose round trip takes 100 ms, long after the clock began. */
function world(initial = initialBytes, budgetBytes = 2 ** 30) {
  const clock = { ms: 5_000, roundTripMs: 100 };
  const budget = new GrowthBudget(budgetBytes);
  const window = new ReceiveWindow(initial, budget, { now: () => clock.ms, roundTripMs: () => clock.roundTripMs });
  /** One round: the bytes come after the one time and are consumed after the other. @returns by what the window grew */
  const round = (cameMs: number, tookMs: number): number => {
    const before = window.windowBytes;
    const began = clock.ms;
    clock.ms = began + cameMs;
    assert.ok(window.received(before));
    clock.ms = began + tookMs;
    assert.equal(window.consumed(before), window.windowBytes);
    return window.windowBytes / before;
  };
  return { window, clock, budget, round };
}

Deno.test("the first round begins with its first bytes, and those that follow begin where one ends", () => {
  const { round } = world();
  assert.equal(round(1_000, 1_080), 2, "80 ms since they came");
  assert.equal(round(0, 80), 2);
  assert.equal(round(60, 200), 1, "two round trips");
});

Deno.test("a window doubles, quadruples where its peer stood for half of a round trip, and approaches what the link carries", () => {
  const { round } = world(300_000);
  assert.equal(round(0, 50), 4, "the peer has waited since");
  assert.equal(round(0, 51), 2);
  assert.equal(round(49, 70), 2);
  assert.equal(round(50, 70), 4);
  const slower = world(300_000);
  slower.round(0, 100);
  assert.equal(slower.round(0, 160), 1.25);
  assert.equal(slower.round(0, 200), 1);
  assert.equal(slower.round(0, 199), 753_769 / 750_000);
});

Deno.test("a window of a near peer doubles within three milliseconds, and in no longer time", () => {
  const { clock, round } = world();
  for (const roundTripMs of [0, 1, 1.5]) {
    clock.roundTripMs = roundTripMs;
    assert.equal(round(0, 2.9), 2);
    assert.equal(round(0, 3), 1);
  }
  clock.roundTripMs = 3;
  assert.equal(round(0, 5.9), 2, "nobody can tell where such a short time goes");
  assert.equal(round(0, 6), 1);
});

Deno.test("a round lasts to its last byte", () => {
  const { window } = world();
  assert.ok(window.received(initialBytes));
  window.consumed(initialBytes - 1);
  assert.equal(window.windowBytes, initialBytes);
  window.consumed(1);
  assert.equal(window.windowBytes, 4 * initialBytes);
});

Deno.test("credit goes back for half of a small window, then for 512 KiB, and for an eighth of a large one", () => {
  const { window, clock, round } = world();
  const portions: number[] = [];
  for (let at = 0; at < 4; at++) {
    // At rest the window keeps its size.
    clock.roundTripMs = 0;
    assert.ok(window.received(window.windowBytes));
    clock.ms += 10;
    let consumed = 0;
    for (let credit = 0; credit === 0; consumed += kib) credit = window.consumed(kib);
    portions.push(consumed / kib);
    window.consumed(window.windowBytes - consumed);
    clock.roundTripMs = 100;
    round(0, 10);
  }
  assert.deepEqual(portions, [128, 512, 512, 2048]);
});

Deno.test("a single byte of credit may be given back", () => {
  const { window, budget, round } = world();
  round(0, 10);
  const { remaining } = budget;
  assert.ok(window.returned(1));
  assert.equal(budget.remaining, remaining + 1);
  assert.equal(window.creditBytes, 4 * initialBytes - 1);
});

Deno.test("where others want their part, a window shrinks by half of what it would have returned, and no further than that part", () => {
  const { window, budget, clock, round } = world(initialBytes, 3 * 1024 * kib);
  round(0, 10);
  round(0, 10);
  const grown = window.grownBytes;
  assert.equal(grown, 1536 * kib, "half of the budget");
  const others = [budget.join(), budget.join()];
  for (const share of others) budget.take(share, 1536 * kib, clock.ms);
  assert.ok(window.received(window.windowBytes));
  const portion = window.windowBytes >> 1;
  assert.equal(window.consumed(512 * kib), 256 * kib, `of ${portion}`);
  assert.equal(window.grownBytes, grown - 256 * kib);
  assert.equal(window.consumed(512 * kib), 256 * kib);
  assert.equal(window.grownBytes, 1024 * kib, "a third");
  assert.equal(window.consumed(512 * kib), 512 * kib);
  assert.equal(window.grownBytes, 1024 * kib);
});

Deno.test("a window shrinks where most of it waits here for more than eight round trips", () => {
  for (
    const [heldPart, waitedMs, shrinks] of [[0.5, 801, false], [0.6, 800, false], [0.6, 801, true]] as const
  ) {
    const { window, clock, round } = world();
    round(0, 10);
    const grown = window.grownBytes;
    assert.ok(window.received(Math.ceil(window.windowBytes * heldPart)));
    clock.ms += waitedMs;
    window.consumed(512 * kib);
    assert.equal(window.grownBytes < grown, shrinks, `${heldPart} in ${waitedMs} ms`);
  }
});

Deno.test("all credit that the peer has may be given back, and not a byte that it has not", () => {
  const { window, round } = world();
  round(0, 10);
  assert.ok(window.received(window.creditBytes - 10));
  assert.ok(!window.returned(11));
  assert.ok(window.returned(10));
  assert.equal(window.creditBytes, 0);
});

Deno.test("with credit that is given back goes what is owed, and the round ends with what the window has then", () => {
  const { window, round } = world();
  round(0, 10);
  assert.ok(window.received(200 * kib));
  assert.equal(window.consumed(100 * kib), 0);
  assert.ok(window.returned(600 * kib));
  assert.equal(window.windowBytes, 324 * kib);
  assert.equal(window.consumed(100 * kib), 0);
  let consumed = 100;
  for (; window.windowBytes === 324 * kib; consumed++) {
    assert.ok(window.received(kib));
    const credit = window.consumed(kib);
    assert.equal(credit > 0, consumed === 161 || consumed === 323, `${consumed}`);
  }
  assert.equal(consumed, 324);
});

Deno.test("a window that was refused growth and passes slowly now leaves the others what they have", () => {
  const { budget, clock, round } = world(initialBytes, 1024 * kib);
  const others = [budget.join(), budget.join()];
  for (const share of others) assert.equal(budget.take(share, 1024 * kib, clock.ms), 512 * kib);
  const surplus = () => others.map((share) => budget.surplus(share, clock.ms) > 0);
  assert.equal(round(0, 10), 1);
  assert.deepEqual(surplus(), [true, true]);
  assert.equal(round(0, 250), 1);
  assert.deepEqual(surplus(), [false, false]);
});

Deno.test("a surplus of one byte is given back like any other", () => {
  const { window, budget, clock, round } = world(initialBytes, 3 * (768 * kib - 1));
  round(0, 10);
  assert.equal(window.grownBytes, 768 * kib);
  for (const share of [budget.join(), budget.join()]) budget.take(share, 2 ** 30, clock.ms);
  assert.equal(budget.remaining, 0);
  assert.ok(window.received(window.windowBytes));
  assert.equal(window.consumed(512 * kib), 512 * kib - 1);
  assert.deepEqual([window.grownBytes, budget.remaining], [768 * kib - 1, 1]);
});
