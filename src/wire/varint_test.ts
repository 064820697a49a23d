import assert from "node:assert/strict";
import fc from "fast-check";
import { VarintCursor, varintCutOff, varintLength, varintTooLong, writeVarint } from "./varint.ts";

/** The encoding in its plainest form, as the oracle. */
function encode(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 127n) | (rest >= 128n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function written(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(12).fill(0xee);
  const end = writeVarint(bytes, 1, value);
  assert.equal(end, 1 + varintLength(value));
  assert.equal(bytes[0], 0xee);
  assert.ok(bytes.subarray(end).every((byte) => byte === 0xee), "bytes behind it are untouched");
  return bytes.subarray(1, end);
}

Deno.test("a varint is written at every length's edge", () => {
  for (let bits = 0; bits <= 53; bits += 7) {
    for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
      if (value > Number.MAX_SAFE_INTEGER) continue;
      assert.deepEqual(written(value), encode(BigInt(value)), String(value));
    }
  }
  assert.deepEqual(written(Number.MAX_SAFE_INTEGER), encode(BigInt(Number.MAX_SAFE_INTEGER)));
});

Deno.test("an int64 takes up to nine bytes, a negative one all ten", () => {
  assert.equal(written(2n ** 63n - 1n).length, 9);
  assert.equal(written(-1n).length, 10);
  assert.equal(written(-(2n ** 63n)).length, 10);
});

Deno.test("any number and any int64 is written as the encoding says", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    assert.deepEqual(written(value), encode(BigInt(value)));
  }));
  fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
    assert.deepEqual(written(value), encode(value));
  }));
});

Deno.test("the cursor reads back what fits in four bytes and stands behind it", () => {
  fc.assert(fc.property(fc.nat(2 ** 28 - 1), (value) => {
    const bytes = encode(BigInt(value));
    const cursor = new VarintCursor();
    assert.equal(cursor.readSmall(bytes, bytes.length), value);
    assert.equal(cursor.at, bytes.length);
  }));
});

Deno.test("the cursor tells a varint that is cut off from one that is too long", () => {
  const cursor = new VarintCursor();
  const read = (...bytes: number[]) => {
    cursor.at = 0;
    return cursor.readSmall(Uint8Array.from(bytes), bytes.length);
  };
  assert.notEqual(varintCutOff, varintTooLong);
  assert.equal(read(), varintCutOff);
  assert.equal(read(0x80), varintCutOff);
  assert.equal(read(0xff, 0xff, 0xff), varintCutOff);
  assert.equal(read(0xff, 0xff, 0xff, 0xff), varintTooLong);
  assert.equal(read(0xff, 0xff, 0xff, 0x7f), 2 ** 28 - 1);
  assert.equal(read(0x81, 0x80, 0x80, 0x00), 1, "a longer form than necessary");
});
