import assert from "node:assert/strict";
import fc from "fast-check";
import { GrowthBudget } from "./growth_budget.ts";
import { ReceiveWindow } from "./receive_window.ts";

const kib = 1024;
const mib = 1024 * kib;
const initialBytes = 256 * kib;
const chunkBytes = 64 * kib;

/** A window, and the clock and round trip that it sees. */
function world({ roundTripMs = 0, budget = new GrowthBudget(64 * mib), clock = { ms: 0 } } = {}) {
  const window = new ReceiveWindow(initialBytes, budget, { now: () => clock.ms, roundTripMs: () => roundTripMs });
  /** Passes so many bytes on in chunks, each at once when it arrives. @returns the credit that was returned */
  const pass = (bytes: number, msEach: number): number => {
    let credit = 0;
    for (let passed = 0; passed < bytes; passed += chunkBytes) {
      clock.ms += msEach;
      assert.ok(window.received(chunkBytes));
      credit += window.consumed(chunkBytes);
    }
    return credit;
  };
  return { window, clock, budget, pass };
}

/**
 * A peer at a distance, which sends whatever it has credit for, over a link that carries so much, to a reader that takes so
 * much. @returns how far the window grew, and how many round trips it took to move the bytes
 */
function transfer(
  {
    bytes = 0,
    roundTripMs = 50,
    bytesPerMs = Infinity,
    readsPerMs = Infinity,
    budgetBytes = 64 * mib,
    sizes = [chunkBytes],
  },
) {
  const budget = new GrowthBudget(budgetBytes);
  const { window, clock } = world({ roundTripMs, budget });
  const stepMs = roundTripMs / 100;
  const coming: { at: number; bytes: number }[] = [];
  const credits: { at: number; bytes: number }[] = [];
  let [credit, sent, consumed, held, largest, freeAt, chunks] = [initialBytes, 0, 0, 0, 0, 0, 0];
  for (; consumed < bytes; clock.ms += stepMs) {
    assert.ok(clock.ms < 1000 * roundTripMs, `only ${consumed} bytes came through`);
    for (let next = credits[0]; next !== undefined && next.at <= clock.ms; next = credits[0]) {
      credit += next.bytes;
      credits.shift();
    }
    while (credit > 0 && sent < bytes) {
      const size = Math.min(credit, sizes[chunks++ % sizes.length] ?? chunkBytes, bytes - sent);
      freeAt = Math.max(freeAt, clock.ms) + size / bytesPerMs;
      coming.push({ at: freeAt + roundTripMs / 2, bytes: size });
      credit -= size;
      sent += size;
    }
    for (let next = coming[0]; next !== undefined && next.at <= clock.ms; next = coming[0]) {
      assert.ok(window.received(next.bytes));
      held += next.bytes;
      coming.shift();
    }
    const taken = Math.min(held, readsPerMs * stepMs);
    held -= taken;
    consumed += taken;
    const returned = window.consumed(taken);
    if (returned > 0) credits.push({ at: clock.ms + roundTripMs / 2, bytes: returned });
    largest = Math.max(largest, window.windowBytes);
    assert.equal(window.windowBytes - initialBytes + budget.remaining, budgetBytes);
  }
  return { windowBytes: window.windowBytes, largest, roundTrips: clock.ms / roundTripMs };
}

Deno.test("credit is returned in halves of a small window, and in smaller portions of a large one", () => {
  const { window, clock, pass } = world({ roundTripMs: 100 });
  clock.ms = 1000;
  assert.ok(window.received(initialBytes));
  clock.ms = 2000;
  for (let half = 0; half < 2; half++) {
    assert.equal(window.consumed(initialBytes / 2 - 1), 0);
    assert.equal(window.consumed(1), initialBytes / 2);
  }
  pass(64 * mib, 0.1);
  assert.ok(window.windowBytes >= 16 * mib);
  assert.ok(window.received(window.windowBytes / 4));
  clock.ms += 1000;
  assert.ok(window.consumed(window.windowBytes / 8) > 0);
});

Deno.test("more than the credit is refused", () => {
  const { window } = world();
  assert.ok(window.received(initialBytes - 1));
  assert.ok(!window.received(2));
  assert.ok(window.received(1));
  assert.ok(!window.received(1));
});

Deno.test("the window of a near peer that is only held back by the wait for credit grows, and credit with it", () => {
  const { window, pass } = world({ roundTripMs: 0.1 });
  const bytes = 2 * initialBytes;
  const credit = pass(bytes, 0.5);
  const { windowBytes } = window;
  assert.equal(windowBytes, 2 * initialBytes);
  // All but what is not worth a packet yet.
  const owed = windowBytes - (initialBytes - bytes + credit);
  assert.ok(owed >= 0 && owed < windowBytes / 2, `${owed} bytes are owed`);
});

for (const roundTripMs of [10, 50, 200]) {
  Deno.test(`a peer at ${roundTripMs} ms has its link full after a few round trips, with a window of a few times what the link holds`, () => {
    const bytesPerMs = 8 * mib / roundTripMs;
    const bytes = 256 * mib;
    const { largest, roundTrips } = transfer({ bytes, roundTripMs, bytesPerMs });
    assert.ok(largest >= 8 * mib, `the window grew to ${largest} only`);
    assert.ok(largest <= 32 * mib, `the window grew to ${largest}`);
    const least = bytes / bytesPerMs / roundTripMs;
    assert.ok(roundTrips < least + 6, `${roundTrips} round trips instead of ${least}`);
  });
}

Deno.test("in whatever pieces the bytes of a distant peer come, its window grows", () => {
  const sizes = fc.array(fc.integer({ min: 1000, max: 2 * chunkBytes }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(sizes, (sizes) => {
    const { largest } = transfer({ bytes: 32 * mib, sizes, bytesPerMs: mib / 5 });
    assert.ok(largest >= 8 * mib, `the window grew to ${largest} only`);
  }));
});

Deno.test("the window grows no further once passing it takes longer than two round trips", () => {
  const { window, pass } = world({ roundTripMs: 100 });
  pass(256 * mib, 20);
  // 64 KiB in 20 ms are 640 KiB in twice the round trip.
  assert.ok(window.windowBytes >= 320 * kib && window.windowBytes <= 1280 * kib, String(window.windowBytes));
});

Deno.test("the window of a near peer that is served slowly does not grow", () => {
  const { window, pass } = world({ roundTripMs: 0.1 });
  pass(64 * initialBytes, 1);
  assert.equal(window.windowBytes, initialBytes);
});

Deno.test("a reader that becomes slow has a window that is filled by it become small again", () => {
  const { window, clock, pass } = world({ roundTripMs: 50 });
  pass(128 * mib, 0.1);
  const grown = window.windowBytes;
  assert.ok(grown >= 16 * mib);
  let held = 0;
  for (let step = 0; step < 10_000; step++) {
    const sends = window.creditBytes;
    assert.ok(window.received(sends));
    held += sends;
    clock.ms += 20;
    const taken = Math.min(held, chunkBytes);
    held -= taken;
    window.consumed(taken);
  }
  // 64 KiB in 20 ms are 1280 KiB in eight round trips.
  assert.ok(window.windowBytes <= 1280 * kib, String(window.windowBytes));
  assert.ok(held <= 1280 * kib);
});

Deno.test("a window alone takes half of the budget, which has it back at the end", () => {
  const { window, budget, pass } = world({ roundTripMs: 1e6 });
  pass(1024 * mib, 0.1);
  assert.equal(window.windowBytes, initialBytes + 32 * mib);
  window.close();
  assert.equal(budget.remaining, 64 * mib);
  assert.equal(window.consumed(initialBytes), 0);
  assert.ok(window.returned(1), "what comes behind the end is no fault");
});

Deno.test("behind the peer's end the budget has growth back as the bytes are consumed that it was for", () => {
  const { window, budget, pass } = world({ roundTripMs: 1e6 });
  pass(8 * mib, 0.1);
  const held = initialBytes + mib;
  assert.ok(window.received(held));
  window.peerEnded();
  assert.equal(window.grownBytes, mib, "the growth that nothing was received for is still taken");
  assert.equal(window.consumed(mib / 2), 0, "a peer that has ended got credit");
  assert.equal(budget.remaining, 64 * mib - mib / 2);
  assert.ok(window.returned(mib), "credit that crossed the end is no fault");
  assert.equal(window.consumed(mib / 2), 0);
  assert.equal(budget.remaining, 64 * mib);
  assert.equal(window.consumed(initialBytes), 0);
  window.close();
  assert.equal(budget.remaining, 64 * mib);
});

Deno.test("a peer gives credit back, no more than it has and than the window grew by", () => {
  const { window, budget, pass } = world({ roundTripMs: 1e6 });
  assert.ok(!window.returned(1), "nothing was added to what it began with");
  pass(1024 * mib, 0.1);
  assert.ok(!window.returned(0));
  assert.ok(!window.returned(-1));
  assert.ok(!window.returned(NaN));
  assert.ok(!window.returned(window.windowBytes));
  const credit = window.creditBytes;
  assert.ok(window.returned(credit - initialBytes));
  assert.equal(window.creditBytes, initialBytes);
  assert.equal(budget.remaining, 64 * mib - (window.windowBytes - initialBytes));
  assert.ok(window.received(initialBytes));
  assert.ok(!window.received(1));
  assert.ok(!window.returned(1));
});

Deno.test("with credit that is given back goes what is owed, so that nothing remains of the growth", () => {
  const { window, budget, pass } = world({ roundTripMs: 1e6 });
  pass(1024 * mib, 0.1);
  pass(2 * chunkBytes, 0.1);
  assert.ok(window.windowBytes > window.creditBytes, "some is owed");
  assert.ok(window.returned(window.creditBytes - initialBytes));
  assert.equal(window.windowBytes, initialBytes);
  assert.equal(budget.remaining, 64 * mib);
  assert.ok(window.received(initialBytes));
  assert.ok(window.consumed(initialBytes) >= initialBytes);
});

for (const budgetBytes of [0, 1, 64 * kib, 2 * mib]) {
  Deno.test(`with a budget of ${budgetBytes} bytes everything arrives, window after window`, () => {
    const { largest } = transfer({ bytes: 16 * mib, budgetBytes, roundTripMs: 50 });
    assert.ok(largest <= initialBytes + budgetBytes / 2);
  });
}

Deno.test("of a budget that is short each window has the same part soon, however late it comes", () => {
  const budget = new GrowthBudget(16 * mib);
  const clock = { ms: 0 };
  const worlds: ReturnType<typeof world>[] = [];
  /** All pass windows as fast as they can, in turn. */
  const round = () => {
    for (const { pass } of worlds) pass(8 * chunkBytes, 0);
    clock.ms += 1;
  };
  for (const count of [1, 2, 8]) {
    while (worlds.length < count) worlds.push(world({ roundTripMs: 1000, budget, clock }));
    for (let i = 0; i < 300; i++) round();
    const part = 16 * mib / Math.max(2, count);
    for (const { window } of worlds) {
      const grown = window.windowBytes - initialBytes;
      assert.ok(grown > 0.7 * part && grown <= part, `one of ${count} has ${grown} bytes of ${part}`);
    }
  }
  for (const { window } of worlds.splice(1)) window.close();
  for (let i = 0; i < 300; i++) round();
  assert.equal(worlds[0]?.window.windowBytes, initialBytes + 8 * mib);
});

Deno.test("who was refused growth and wants none any more has no part of the budget kept for it", () => {
  const budget = new GrowthBudget(2 * mib);
  const clock = { ms: 0 };
  const hogs = [world({ roundTripMs: 1000, budget, clock }), world({ roundTripMs: 1000, budget, clock })];
  for (const { pass } of hogs) pass(8 * mib, 0.01);
  assert.equal(budget.remaining, 0);
  const late = world({ roundTripMs: 1000, budget, clock });
  late.pass(initialBytes, 0.01);
  assert.equal(late.window.windowBytes, initialBytes);
  clock.ms += 1001;
  for (const { pass, window } of hogs) {
    pass(8 * mib, 0.01);
    assert.equal(window.windowBytes, initialBytes + mib);
  }
});

Deno.test("a window that was refused growth wants none once it is closed, and others keep what they have", () => {
  const budget = new GrowthBudget(2 * mib);
  const clock = { ms: 0 };
  const hogs = [world({ roundTripMs: 1000, budget, clock }), world({ roundTripMs: 1000, budget, clock })];
  for (const { pass } of hogs) pass(8 * mib, 0.01);
  const late = world({ roundTripMs: 1000, budget, clock });
  late.pass(initialBytes, 0.01);
  late.window.close();
  for (const { pass, window } of hogs) {
    pass(8 * mib, 0.01);
    assert.equal(window.windowBytes, initialBytes + mib);
  }
});

Deno.test("whatever happens to windows, their sum stays within the budget, and held, owed and credit are the window", () => {
  const step = fc.record({
    which: fc.nat(3),
    does: fc.constantFrom("receive", "consume", "return", "wait", "close", "end"),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), fc.constantFrom(0, mib, 8 * mib), (steps, total) => {
      const budget = new GrowthBudget(total);
      const clock = { ms: 0 };
      const all = Array.from({ length: 4 }, () => ({
        ...world({ roundTripMs: 20, budget, clock }),
        /** What the peer believes to have. */
        credit: initialBytes,
        held: 0,
        open: true,
        ended: false,
      }));
      for (const { which, does, part } of steps) {
        const one = all[which];
        if (one === undefined) continue;
        const { window } = one;
        if (does === "wait") clock.ms += 30 * part;
        else if (does === "close") {
          one.open &&= part < 0.9;
          if (!one.open) window.close();
        } else if (!one.open) continue;
        else if (does === "end") {
          one.ended ||= part > 0.9;
          if (one.ended) window.peerEnded();
        } else if (one.ended && does !== "consume") continue;
        else if (does === "receive") {
          const bytes = Math.ceil(part * one.credit);
          assert.ok(window.received(bytes));
          one.credit -= bytes;
          one.held += bytes;
        } else if (does === "consume") {
          const bytes = Math.ceil(part * one.held);
          one.held -= bytes;
          one.credit += window.consumed(bytes);
        } else if (one.credit > initialBytes) {
          assert.ok(window.returned(one.credit - initialBytes));
          one.credit = initialBytes;
        }
        let grown = 0;
        for (const { window, credit, held, open, ended } of all) {
          if (!open) continue;
          if (ended) {
            assert.equal(window.grownBytes, Math.max(0, held - initialBytes));
            grown += window.grownBytes;
            continue;
          }
          assert.equal(window.creditBytes, credit);
          const owed = window.windowBytes - credit - held;
          assert.ok(
            owed >= 0 && owed < Math.max(1, window.windowBytes / 2),
            `${owed} of ${window.windowBytes} are owed`,
          );
          assert.ok(window.windowBytes >= initialBytes);
          assert.ok(window.windowBytes <= initialBytes + total / 2);
          grown += window.windowBytes - initialBytes;
        }
        assert.equal(grown + budget.remaining, total);
      }
      for (const { window } of all) window.close();
      assert.equal(budget.remaining, total);
    }),
    { numRuns: 500 },
  );
});
