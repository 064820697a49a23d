import assert from "node:assert/strict";
import { frameFlag, h2Code } from "./frames/frame.ts";
import { HeaderBlocks } from "./header_blocks.ts";
import { encodeHeaders } from "./hpack/header_encoder.ts";
import { h2Limits } from "./limits.ts";

const { endHeaders, endStream, padded, priority } = frameFlag;
const block = encodeHeaders([["a", "1"], ["b", "2"]]);
const fields = [["a", "1"], ["b", "2"]];

Deno.test("a block comes in one frame or in several, whose memory may be used again meanwhile", () => {
  const blocks = new HeaderBlocks();
  assert.equal(blocks.open, 0);
  assert.equal(blocks.begin(endHeaders | endStream, 3, block), undefined);
  assert.deepEqual([blocks.open, blocks.bytes], [3, block.length]);
  const whole = blocks.take();
  assert.deepEqual([whole.streamId, whole.endStream, whole.dependsOnItself], [3, true, false]);
  assert.deepEqual(whole.headers?.fields, fields);
  assert.deepEqual([blocks.open, blocks.bytes], [0, 0]);
  const [first, second] = [block.slice(0, 2), block.slice(2)];
  blocks.begin(0, 5, first);
  first.fill(0);
  assert.equal(blocks.add(second), undefined);
  second.fill(0);
  const joined = blocks.take();
  assert.deepEqual([joined.streamId, joined.endStream, joined.headers?.fields], [5, false, fields]);
});

Deno.test("padding and priority are cut off, and may fill a frame but not go beyond it", () => {
  const blocks = new HeaderBlocks();
  const fieldsOf = (flags: number, head: readonly number[], tail: readonly number[] = []) => {
    assert.equal(blocks.begin(flags | endHeaders, 7, Uint8Array.of(...head, ...block, ...tail)), undefined);
    const { headers, dependsOnItself } = blocks.take();
    return [headers?.fields, dependsOnItself];
  };
  assert.deepEqual(fieldsOf(padded, [2], [0, 0]), [fields, false]);
  assert.deepEqual(fieldsOf(priority, [0x80, 0, 0, 8, 16]), [fields, false]);
  assert.deepEqual(fieldsOf(priority, [0x80, 0, 0, 7, 16]), [fields, true]);
  assert.deepEqual(fieldsOf(padded | priority, [1, 0, 0, 0, 8, 16], [0]), [fields, false]);
  const code = (flags: number, ...payload: number[]) => blocks.begin(flags, 9, Uint8Array.from(payload))?.code;
  assert.equal(code(padded, 0), undefined);
  assert.equal(code(padded, 1, 0), undefined);
  assert.equal(code(padded, 1), h2Code.protocolError);
  assert.equal(code(padded), h2Code.frameSizeError);
  assert.equal(code(priority, 0, 0, 0, 8, 16), undefined);
  assert.equal(code(priority, 0, 0, 0, 8), h2Code.frameSizeError);
});

Deno.test("a block is bounded in bytes and in frames, and each begins its count anew", () => {
  const blocks = new HeaderBlocks();
  const half = new Uint8Array(h2Limits.maxHeaderBlockBytes / 2);
  blocks.begin(0, 1, half);
  assert.equal(blocks.add(half), undefined);
  assert.equal(blocks.add(Uint8Array.of(0))?.code, h2Code.enhanceYourCalm);
  for (let round = 0; round < 2; round++) {
    blocks.begin(0, 1, Uint8Array.of(0));
    for (let at = 0; at < h2Limits.maxContinuations; at++) assert.equal(blocks.add(Uint8Array.of(0)), undefined);
    if (round === 1) assert.equal(blocks.add(Uint8Array.of(0))?.code, h2Code.enhanceYourCalm);
  }
});
