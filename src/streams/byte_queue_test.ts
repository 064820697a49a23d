import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteQueue } from "./byte_queue.ts";

function drain(held: ByteQueue): number[] {
  const bytes: number[] = [];
  for (let piece = held.shift(); piece !== undefined; piece = held.shift()) bytes.push(...piece);
  return bytes;
}

Deno.test("bytes come out as they went in, whatever their pieces", () => {
  const step = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 50 }),
    fc.constantFrom(300, 4095, 4096, 20_000).map((length) => new Uint8Array(length).fill(length)),
    fc.constant("shift" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const held = new ByteQueue();
    const put: number[] = [];
    const got: number[] = [];
    for (const one of steps) {
      if (one === "shift") got.push(...held.shift() ?? []);
      else {
        held.push(one);
        put.push(...one);
      }
      assert.equal(held.length, put.length - got.length);
    }
    got.push(...drain(held));
    assert.deepEqual(got, put);
    assert.equal(held.length, 0);
  }));
});

Deno.test("a large piece is kept as the view that it is", () => {
  const held = new ByteQueue();
  const large = new Uint8Array(4096);
  held.push(large);
  assert.equal(held.shift(), large);
  const small = new Uint8Array(4095);
  held.push(small);
  assert.notEqual(held.shift(), small);
});

Deno.test("single bytes are copied together: a full window of them makes few pieces", () => {
  const held = new ByteQueue();
  const byte = new Uint8Array(1);
  for (let i = 0; i < 65_536; i++) held.push(byte);
  const pieces: Uint8Array[] = [];
  for (let piece = held.shift(); piece !== undefined; piece = held.shift()) pieces.push(piece);
  // Memory grows with what is held, up to 16 KiB a piece, and each piece is filled.
  const kib = [0.25, 0.5, 1, 2, 4, 8, 16, 16, 16];
  assert.deepEqual(pieces.map(({ length }) => length / 1024), [...kib, 0.25]);
  assert.deepEqual(pieces.map(({ buffer }) => buffer.byteLength / 1024), [...kib, 16]);
});
