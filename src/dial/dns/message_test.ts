import assert from "node:assert/strict";
import { decodeAnswer, encodeQuery, recordType } from "./message.ts";

const question = { name: "Api.Example.", type: recordType.A } as const;

/** An answer to {@link question} with these records. */
function answer(flags: number, ...records: number[][]): Uint8Array {
  const query = encodeQuery(7, question);
  const head = query.slice(0, query.length - 11);
  new DataView(head.buffer).setUint16(2, flags);
  new DataView(head.buffer).setUint16(6, records.length);
  new DataView(head.buffer).setUint16(10, 0);
  return Uint8Array.from([...head, ...records.flat()]);
}

const here = [0xc0, 12];
const a = (...bytes: number[]) => [...here, 0, 1, 0, 1, 0, 0, 0, 5, 0, bytes.length, ...bytes];

Deno.test("a query is what RFC 1035 and RFC 6891 say, byte for byte", () => {
  const hex = (bytes: Uint8Array) => bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
  assert.equal(
    hex(encodeQuery(0xbeef, { name: "ab.c.", type: recordType.AAAA })),
    "beef01000001000000000001" + "026162016300" + "001c0001" + "00002904d0000000000000",
  );
});

Deno.test("addresses are taken from behind aliases and from among other records", () => {
  const alias = [...here, 0, 5, 0, 1, 0, 0, 0, 5, 0, 4, 1, 120, 0xc0, 16];
  const other = [...here, 0, 16, 0, 1, 0, 0, 0, 5, 0, 2, 1, 33];
  const odd = a(1, 2, 3);
  const found = decodeAnswer(answer(0x8180, alias, other, odd, a(10, 0, 0, 1), a(10, 0, 0, 2)), question);
  assert.deepEqual(found?.addresses, ["10.0.0.1", "10.0.0.2"]);
  assert.deepEqual([found.code, found.truncated, found.capable], [0, false, true]);
});

Deno.test("IPv6 addresses are written as RFC 5952 wants it", () => {
  const written = (address: readonly number[]) => {
    const asked = { name: "x.", type: recordType.AAAA } as const;
    const query = encodeQuery(1, asked);
    const head = query.slice(0, query.length - 11);
    head.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
    const bytes = address.flatMap((group) => [group >> 8, group & 0xff]);
    return decodeAnswer(Uint8Array.from([...head, ...here, 0, 28, 0, 1, 0, 0, 0, 5, 0, 16, ...bytes]), asked)
      ?.addresses[0];
  };
  assert.equal(written([0, 0, 0, 0, 0, 0, 0, 1]), "::1");
  assert.equal(written([0, 0, 0, 0, 0, 0, 0, 0]), "::");
  assert.equal(written([0x2001, 0xdb8, 0, 0, 1, 0, 0, 1]), "2001:db8::1:0:0:1");
  assert.equal(written([0x2001, 0xdb8, 0, 1, 1, 1, 1, 1]), "2001:db8:0:1:1:1:1:1");
  assert.equal(written([0xfd00, 0, 0, 0, 0, 0, 0, 0]), "fd00::");
  assert.equal(written([0x10, 0, 0, 2, 0, 0, 0, 3]), "10:0:0:2::3");
});

Deno.test("what answers another question, or is none, is not taken", () => {
  const other = { name: "other.example.", type: recordType.A } as const;
  const good = answer(0x8180, a(10, 0, 0, 1));
  assert.ok(decodeAnswer(good, question) !== undefined);
  assert.ok(decodeAnswer(good, { name: "aPI.eXAMPLE.", type: recordType.A }) !== undefined);
  assert.equal(decodeAnswer(good, other), undefined);
  assert.equal(decodeAnswer(good, { ...question, type: recordType.AAAA }), undefined);
  assert.equal(decodeAnswer(answer(0x0100, a(10, 0, 0, 1)), question), undefined);
});

Deno.test("hostile answers neither throw nor hang: circles, cut and random bytes", () => {
  const circle = answer(0x8180, [0xc0, 30, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 1, 2, 3, 4]);
  circle.set([0xc0, 30], 30);
  assert.equal(decodeAnswer(circle, question), undefined);
  const good = answer(0x8180, a(10, 0, 0, 1), a(10, 0, 0, 2));
  for (let length = 0; length < good.length; length++) {
    assert.equal(decodeAnswer(good.subarray(0, length), question), undefined, `${length} bytes`);
  }
  let state = 1;
  const random = () => state = Math.imul(state, 48271) % 0x7fffffff;
  for (let round = 0; round < 20_000; round++) {
    const bytes = good.slice();
    for (let i = 0; i < 4; i++) bytes[Math.abs(random()) % bytes.length] = random() & 0xff;
    decodeAnswer(bytes, question);
  }
});
