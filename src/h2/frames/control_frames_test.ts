import assert from "node:assert/strict";
import {
  endFrame,
  goawayFrame,
  headerFrames,
  isAnswer,
  pingFrame,
  resetFrame,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from "./control_frames.ts";
import { writeFrameHeader } from "./frame.ts";

Deno.test("control frames have the bytes of RFC 9113", () => {
  const hex = (frame: Uint8Array) => frame.toHex();
  assert.equal(
    hex(settingsFrame([[0x0102, 0x03040506], [4, 7]])),
    "00000c040000000000" + "010203040506" + "000400000007",
  );
  assert.equal(hex(settingsAck()), "000000040100000000");
  const opaque = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  assert.equal(hex(pingFrame(false, opaque)), "000008060000000000" + "0102030405060708");
  assert.equal(hex(pingFrame(true, opaque)), "000008060100000000" + "0102030405060708");
  assert.equal(hex(resetFrame(0x01020304, 8)), "000004030001020304" + "00000008");
  assert.equal(hex(windowUpdateFrame(3, 0x7fffffff)), "000004080000000003" + "7fffffff");
  assert.equal(hex(goawayFrame(5, 11, "no")), "00000a070000000000" + "00000005" + "0000000b" + "6e6f");
  assert.equal(hex(endFrame(9)), "000000000100000009");
});

Deno.test("a header block is cut into frames of which the first may end the stream and the last ends the block", () => {
  const hex = (length: number, endStream: boolean) =>
    headerFrames(1, new Uint8Array(length).fill(7), endStream, 4).toHex();
  assert.equal(hex(0, true), "000000010500000001");
  assert.equal(hex(4, false), "000004010400000001" + "07070707");
  const rest = "000004090000000001" + "07070707" + "000001090400000001" + "07";
  assert.equal(hex(9, true), "000004010100000001" + "07070707" + rest);
});

Deno.test("an answer is SETTINGS or PING with ACK, and nothing else", () => {
  const opaque = new Uint8Array(8);
  const frames = [settingsAck(), pingFrame(true, opaque), settingsFrame([]), pingFrame(false, opaque), endFrame(1)];
  assert.deepEqual(frames.map(isAnswer), [true, true, false, false, false]);
});

Deno.test("a frame's header has its length in three bytes and its stream in four, wherever it is written", () => {
  const bytes = new Uint8Array(11).fill(9);
  writeFrameHeader(bytes, 1, 0xabcdef, 2, 3, 0x71625344);
  assert.equal(bytes.toHex(), "09" + "abcdef" + "02" + "03" + "71625344" + "09");
});
