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
  const large = new Uint8Array(5000);
  held.push(large);
  assert.equal(held.shift(), large);
});

Deno.test("single bytes are copied together: a full window of them makes few pieces", () => {
  const held = new ByteQueue();
  const byte = new Uint8Array(1);
  for (let i = 0; i < 65_536; i++) held.push(byte);
  let pieces = 0;
  while (held.shift() !== undefined) pieces++;
  assert.ok(pieces < 20, `${pieces} pieces`);
});
