import assert from "node:assert/strict";
import { joined, readUint32, writeUint32 } from "./bytes.ts";

Deno.test("a number of 32 bits is read and written with its first byte first, whatever its bytes", () => {
  for (const value of [0, 1, 0x01020304, 0x7fffffff, 0x80000000, 0xfffefdfc, 0xffffffff]) {
    const bytes = new Uint8Array(6).fill(9);
    writeUint32(bytes, 1, value);
    const expected = new Uint8Array(6).fill(9);
    new DataView(expected.buffer).setUint32(1, value);
    assert.deepEqual(bytes, expected);
    assert.equal(readUint32(bytes, 1), value);
  }
});

Deno.test("two pieces are one behind the other", () => {
  assert.deepEqual(joined(Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5)), Uint8Array.of(1, 2, 3, 4, 5));
  assert.deepEqual(joined(new Uint8Array(0), Uint8Array.of(3)), Uint8Array.of(3));
});
