import assert from "node:assert/strict";
import { ConnectionWindow } from "./connection_window.ts";
import { defaultWindow, maxWindow } from "./frames/frame.ts";
import { h2Limits } from "./limits.ts";

const mib = 2 ** 20;

/** A window whose credit has been returned. */
function opened(bytes: number = mib): ConnectionWindow {
  const window = new ConnectionWindow(bytes);
  assert.equal(window.takeCredit(), bytes - defaultWindow);
  return window;
}

Deno.test("a peer may send the default window until it has credit, then the whole, and no byte more", () => {
  const fresh = new ConnectionWindow(mib);
  assert.ok(!fresh.take(defaultWindow + 1));
  assert.ok(fresh.take(defaultWindow));
  const window = opened();
  assert.ok(window.take(mib - 1));
  assert.ok(!window.take(2));
  assert.ok(window.take(1));
  assert.ok(!window.take(1));
  assert.equal(window.takeCredit(), mib);
  assert.ok(window.take(mib));
});

Deno.test("credit goes back once it is half of the window, unless too much waits for paused streams", () => {
  const window = opened();
  window.take(mib / 2 - 1);
  assert.equal(window.takeCredit(), 0);
  window.take(1);
  window.pausedBytesChanged(h2Limits.maxPausedBytes + 1);
  assert.equal(window.takeCredit(), 0);
  window.pausedBytesChanged(-1);
  assert.equal(window.takeCredit(), mib / 2);
  assert.equal(window.takeCredit(), 0);
});

Deno.test("a window that is widened has more credit at once, goes by its new size, and shrinks by credit that stays here", () => {
  const window = opened();
  window.widen(mib);
  assert.equal(window.takeCredit(), mib);
  window.take(mib - 1);
  assert.equal(window.takeCredit(), 0, "half of the new size is a byte more");
  window.take(1);
  assert.equal(window.takeCredit(), mib);
  window.take(2 * mib);
  window.widen(-mib);
  assert.equal(window.takeCredit(), mib);
  assert.ok(!window.take(mib + 1));
});

Deno.test("no peer is given more credit than a window may have", () => {
  const window = new ConnectionWindow(maxWindow + 1000);
  assert.equal(window.takeCredit(), maxWindow - defaultWindow);
  assert.equal(window.takeCredit(), 0);
});
