import assert from "node:assert/strict";
import { codeOf, concat, frame, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { defaultFrameSize, frameType, h2Code, maxWindow, settingId } from "./frames/frame.ts";
import { PieceWriter } from "./frames/piece_writer.ts";

const kib = 1024;

Deno.test("DATA comes in frames as large as the peer takes, and no larger than 64 KiB", () => {
  for (const [allowed, largest] of [[0, defaultFrameSize], [20_000, 20_000], [200 * kib, 64 * kib]] as const) {
    const peer = H2Peer.begun();
    const settings: [number, number][] = [[settingId.initialWindowSize, 400 * kib]];
    if (allowed > 0) settings.push([settingId.maxFrameSize, allowed]);
    peer.push(settingsFrame(settings), windowUpdateFrame(0, 400 * kib), headers(1));
    peer.sent();
    peer.request().stream.write(new Uint8Array(150 * kib));
    peer.settle();
    const lengths = peer.sentOf(frameType.data).map(({ payload }) => payload.length);
    assert.equal(Math.max(...lengths), largest);
    assert.equal(lengths.reduce((sum, length) => sum + length), 150 * kib);
  }
});

Deno.test("the connection's window may be as large as RFC 9113 allows, and no larger", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, maxWindow - 65_535));
  assert.ok(peer.lives);
  peer.push(windowUpdateFrame(0, 1));
  assert.equal(codeOf(peer.sent(), frameType.goaway), h2Code.flowControlError);
});

Deno.test("what another writer puts into the memory that all share is not sent", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  peer.sent();
  const other = new PieceWriter();
  other.begin();
  const bytes = Uint8Array.of(1, 2, 3);
  for (let at = 0; at < 3; at++) {
    other.add(new Uint8Array(50).fill(7));
    peer.request().stream.write(bytes);
    peer.settle();
  }
  assert.deepEqual(concat(...peer.sent().map(({ payload }) => payload)), concat(bytes, bytes, bytes));
  peer.push(frame(frameType.ping, 0, 0, "0102030405060708"));
  assert.equal(peer.sent().length, 1);
});

Deno.test("a frame that is too large is refused by its head, with its size", () => {
  const peer = H2Peer.begun();
  peer.push(Uint8Array.fromHex("010203" + "000000000001"));
  assert.equal(peer.error?.code, h2Code.frameSizeError);
  assert.match(peer.error?.message ?? "", /^frame of 66051 bytes is larger than 16384$/);
});
