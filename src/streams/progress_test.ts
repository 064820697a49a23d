import assert from "node:assert/strict";
import { ownerOf } from "../faults/owned.ts";
import { type After, watchProgress } from "./progress.ts";

/** A peer, its watch, and a clock that fires when the test says so. */
function watched(waiting: number, patience?: (waitingBytes: number) => number) {
  const peer = { waiting, stalled: 0 };
  const timers: (() => void)[] = [];
  const after: After = (_ms, onFire) => {
    timers.push(onFire);
    return { cancel: () => void timers.splice(timers.indexOf(onFire), 1) };
  };
  const options = { everyMs: 1000, after, owner: ownerOf("stream"), ...(patience === undefined ? {} : { patience }) };
  const cancel = watchProgress(() => peer.waiting, options, () => void peer.stalled++);
  const fire = () => timers.shift()?.();
  return { peer, timers, cancel, fire };
}

Deno.test("a peer that takes some bytes between two checks has its time, one that takes none has stalled", () => {
  const { peer, timers, fire } = watched(100);
  for (; peer.waiting > 0; peer.waiting -= 10) {
    if (peer.waiting < 100) fire();
  }
  assert.equal(peer.stalled, 0);
  fire();
  fire();
  assert.equal(peer.stalled, 1);
  assert.equal(timers.length, 0);
});

Deno.test("bytes that come to wait are no progress, and patience counts checks in a row", () => {
  const { peer, fire } = watched(100, (waiting) => waiting === 0 ? 1 : 3);
  fire();
  peer.waiting = 200;
  fire();
  assert.equal(peer.stalled, 0);
  peer.waiting = 150;
  fire();
  fire();
  fire();
  assert.equal(peer.stalled, 0);
  fire();
  assert.equal(peer.stalled, 1);
});

Deno.test("a watch that is ended calls nobody", () => {
  const { peer, timers, cancel, fire } = watched(100);
  cancel();
  assert.equal(timers.length, 0);
  fire();
  assert.equal(peer.stalled, 0);
});
