import assert from "node:assert/strict";
import { defaultFrameSize, defaultWindow, h2Code, maxFrameSize, maxWindow, settingId } from "./frames/frame.ts";
import { PeerSettings } from "./peer_settings.ts";

function payload(...settings: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(6 * settings.length));
  for (const [at, [id, value]] of settings.entries()) {
    view.setUint16(6 * at, id);
    view.setUint32(6 * at + 2, value);
  }
  return new Uint8Array(view.buffer);
}

Deno.test("a peer that sets nothing has what RFC 9113 says", () => {
  const settings = new PeerSettings();
  assert.equal(settings.apply(payload()), undefined);
  assert.equal(settings.apply(payload([0x99, 7], [settingId.enablePush, 1])), undefined);
  const { initialWindow, maxFrameBytes, headerTableChanged } = settings;
  assert.deepEqual([initialWindow, maxFrameBytes, headerTableChanged], [defaultWindow, defaultFrameSize, false]);
});

Deno.test("all settings of a frame are taken, up to their bounds", () => {
  const settings = new PeerSettings();
  const all = [
    [settingId.headerTableSize, 0],
    [settingId.initialWindowSize, maxWindow],
    [settingId.maxFrameSize, maxFrameSize],
  ] as const;
  assert.equal(settings.apply(payload(...all)), undefined);
  const { initialWindow, maxFrameBytes, headerTableChanged } = settings;
  assert.deepEqual([initialWindow, maxFrameBytes, headerTableChanged], [maxWindow, maxFrameSize, true]);
  assert.equal(settings.apply(payload([settingId.maxFrameSize, defaultFrameSize])), undefined);
  assert.equal(settings.maxFrameBytes, defaultFrameSize);
});

Deno.test("what is beyond a bound is a fault, with its value", () => {
  const faults = [
    [settingId.enablePush, 2, h2Code.protocolError, "ENABLE_PUSH is 2"],
    [settingId.initialWindowSize, maxWindow + 1, h2Code.flowControlError, "INITIAL_WINDOW_SIZE is 2147483648"],
    [settingId.maxFrameSize, defaultFrameSize - 1, h2Code.protocolError, "MAX_FRAME_SIZE is 16383"],
    [settingId.maxFrameSize, maxFrameSize + 1, h2Code.protocolError, "MAX_FRAME_SIZE is 16777216"],
  ] as const;
  for (const [id, value, code, message] of faults) {
    const settings = new PeerSettings();
    assert.deepEqual(settings.apply(payload([0x99, 1], [id, value])), { code, message });
    assert.deepEqual([settings.initialWindow, settings.maxFrameBytes], [defaultWindow, defaultFrameSize]);
  }
});
