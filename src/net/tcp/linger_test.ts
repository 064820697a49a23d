import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { linger } from "./linger.ts";

/** Lets time pass for a peer for which so many bytes wait; returns the second at which it was dropped, if it was. */
function run(waitingBytes: (seconds: number) => number, seconds: number): number | undefined {
  const clock = new VirtualClock();
  let now = 0;
  let dropped: number | undefined;
  linger(() => waitingBytes(now), () => {
    assert.equal(dropped, undefined);
    dropped = now;
  }, clock);
  for (now = 1; now <= seconds; now++) clock.advance(1000);
  return dropped;
}

Deno.test("a peer that has had everything is waited for ten seconds", () => {
  assert.equal(run(() => 0, 100), 10);
});

Deno.test("a peer that takes some bytes now and then is waited for until it has all, and ten seconds more", () => {
  assert.equal(run((seconds) => Math.max(0, 1000 - seconds), 2000), 1010);
});

Deno.test("a peer that takes nothing is waited for a minute", () => {
  assert.equal(run(() => 1, 100), 60);
  assert.equal(run((seconds) => seconds < 95 ? 1000 - seconds : 1, 1000), 160);
});

Deno.test("a watch that was ended drops nobody", () => {
  const clock = new VirtualClock();
  linger(() => 0, () => assert.fail("dropped"), clock)();
  clock.advance(1_000_000);
  assert.equal(clock.pending, 0);
});
