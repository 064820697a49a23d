import assert from "node:assert/strict";
import { flowLimits } from "./flow_limits.ts";
import { GrowthBudget, ReceiveWindow } from "./receive_window.ts";

const { initialWindowBytes, maxWindowBytes } = flowLimits;
const chunkBytes = 64 * 1024;

/** A window and the clock and round trip that it sees. */
function world({ roundTripMs = 0, budget = new GrowthBudget() } = {}) {
  const clock = { ms: 0 };
  const window = new ReceiveWindow(budget, { now: () => clock.ms, roundTripMs: () => roundTripMs });
  /** Passes so many bytes on in chunks, each at once when it arrives. @returns the credit that was returned */
  const pass = (bytes: number, msEach: number): number => {
    let credit = 0;
    for (let passed = 0; passed < bytes; passed += chunkBytes) {
      clock.ms += msEach;
      assert.ok(window.arrived(chunkBytes));
      credit += window.left(chunkBytes);
    }
    return credit;
  };
  return { window, clock, budget, pass };
}

Deno.test("credit is returned in halves of a window", () => {
  const { window, clock } = world();
  clock.ms = 1000;
  assert.ok(window.arrived(initialWindowBytes));
  assert.equal(window.left(initialWindowBytes / 2 - 1), 0);
  assert.equal(window.left(1), initialWindowBytes / 2);
  assert.equal(window.left(initialWindowBytes / 2 - 1), 0);
});

Deno.test("more than the credit is refused", () => {
  const { window } = world();
  assert.ok(window.arrived(initialWindowBytes - 1));
  assert.ok(!window.arrived(2));
  assert.ok(window.arrived(1));
  assert.ok(!window.arrived(1));
});

for (
  const { name, roundTripMs, msEach } of [
    { name: "a distant peer whose bytes pass as they arrive", roundTripMs: 100, msEach: 20 },
    { name: "a near peer that is only held back by the wait for credit", roundTripMs: 0.1, msEach: 0.5 },
  ]
) {
  Deno.test(`the window grows for ${name}, and the peer is given what it grew by`, () => {
    const { window, pass } = world({ roundTripMs });
    const bytes = 2 * initialWindowBytes;
    const credit = pass(bytes, msEach);
    const { windowBytes } = window;
    assert.ok(windowBytes > initialWindowBytes);
    // All but what is not worth a packet yet.
    const owed = windowBytes - (initialWindowBytes - bytes + credit);
    assert.ok(owed >= 0 && owed < windowBytes / 2, `${owed} bytes are owed`);
  });
}

Deno.test("the window grows no further once passing it takes longer than the round trip", () => {
  const { window, pass } = world({ roundTripMs: 100 });
  pass(64 * maxWindowBytes, 20);
  // 64 KiB in 20 ms are 640 KiB in twice the round trip.
  assert.equal(window.windowBytes, 4 * initialWindowBytes);
});

Deno.test("the window of a near peer that is served slowly does not grow", () => {
  const { window, pass } = world({ roundTripMs: 0.1 });
  pass(64 * initialWindowBytes, 1);
  assert.equal(window.windowBytes, initialWindowBytes);
});

Deno.test("the window stays within its bound, and within the budget of all, which gets it back at the end", () => {
  const alone = world({ roundTripMs: 1e9 });
  alone.pass(8 * maxWindowBytes, 1);
  assert.equal(alone.window.windowBytes, maxWindowBytes);

  const budget = new GrowthBudget(initialWindowBytes);
  const [one, other] = [world({ roundTripMs: 1e9, budget }), world({ roundTripMs: 1e9, budget })];
  one.pass(8 * initialWindowBytes, 1);
  other.pass(8 * initialWindowBytes, 1);
  assert.equal(one.window.windowBytes, 2 * initialWindowBytes);
  assert.equal(other.window.windowBytes, initialWindowBytes);
  one.window.close();
  assert.equal(budget.left, initialWindowBytes);
  assert.equal(one.window.left(initialWindowBytes), 0);
});
