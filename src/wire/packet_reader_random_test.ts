import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { type ConnectId, connectId } from "./connect_id.ts";
import { dataHeader } from "./data_header.ts";
import type { Packet } from "./packet.ts";
import { PacketError, type PacketErrorCode } from "./packet_error.ts";
import { PacketReader } from "./packet_reader.ts";
import { writeVarint } from "./varint.ts";

/** What a stream said: packets as their bytes, neighbouring DATA of one connection joined, and how it ended. */
interface Reading {
  readonly events: (string | { readonly id: ConnectId; readonly bytes: string })[];
  readonly end: PacketErrorCode | "whole";
}

class Journal {
  readonly events: Reading["events"] = [];

  data(id: ConnectId, payload: Uint8Array): void {
    const last = this.events.at(-1);
    if (typeof last === "object" && last.id === id) {
      this.events[this.events.length - 1] = { id, bytes: last.bytes + payload.toHex() };
    } else {
      this.events.push({ id, bytes: payload.toHex() });
    }
  }

  packet(packet: Packet): void {
    this.events.push(toBinary(PacketSchema, packet).toHex());
  }
}

function withReader(chunks: readonly Uint8Array[]): Reading {
  const journal = new Journal();
  const reader = new PacketReader({
    onData: (id, payload) => journal.data(id, payload),
    onPacket: (packet) => journal.packet(packet),
  });
  try {
    for (const chunk of chunks) reader.push(chunk);
    reader.end();
  } catch (error) {
    if (!(error instanceof PacketError)) throw error;
    return { events: journal.events, end: error.code };
  }
  return { events: journal.events, end: "whole" };
}

/** The same by the plainest means: whole messages, one after the other, through the generated codec. */
function withGeneratedCodec(bytes: Uint8Array): Reading {
  const journal = new Journal();
  const fail = (end: PacketErrorCode): Reading => ({ events: journal.events, end });
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 5) return fail("truncated");
    if (bytes[at] !== 0) return fail("compressed");
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 1);
    if (length > 4 * 1024 * 1024) return fail("too-large");
    if (bytes.length - at < 5 + length) return fail("truncated");
    let packet: Packet;
    try {
      packet = fromBinary(PacketSchema, bytes.subarray(at + 5, at + 5 + length));
    } catch {
      return fail("malformed");
    }
    at += 5 + length;
    if (packet.type !== PacketType.DATA || packet.payload.case !== "data") journal.packet(packet);
    else if (packet.payload.value.data.length > 0) {
      journal.data(connectId(packet.payload.value.connectID), packet.payload.value.data);
    }
  }
  return { events: journal.events, end: "whole" };
}

function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const int64 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: 0n, max: 300n }));
const text = fc.string({ unit: "grapheme" });
const bytes = fc.uint8Array({ maxLength: 300 });

const payload: fc.Arbitrary<Packet["payload"]> = fc.oneof(
  fc.record({ protocol: text, address: text, random: int64 })
    .map((value) => create(PacketSchema, { payload: { case: "dialRequest", value } }).payload),
  fc.record({ error: text, connectID: int64, random: int64 })
    .map((value) => create(PacketSchema, { payload: { case: "dialResponse", value } }).payload),
  fc.record({ connectID: int64, error: text, data: bytes })
    .map((value) => create(PacketSchema, { payload: { case: "data", value } }).payload),
  fc.record({ connectID: int64 })
    .map((value) => create(PacketSchema, { payload: { case: "closeRequest", value } }).payload),
  fc.record({ error: text, connectID: int64 })
    .map((value) => create(PacketSchema, { payload: { case: "closeResponse", value } }).payload),
  fc.record({ random: int64 }).map((value) => create(PacketSchema, { payload: { case: "closeDial", value } }).payload),
  fc.constant(create(PacketSchema, { payload: { case: "drain", value: {} } }).payload),
  fc.constant(create(PacketSchema, {}).payload),
);

/** Packets whose type, possibly an unknown one, need not match the payload. */
const written = fc.record({ type: fc.oneof(fc.nat(6), fc.constant(4), fc.integer()), payload })
  .map(({ type, payload }) => {
    const prefix = type === 0 ? new Uint8Array(0) : Uint8Array.of(8, ...varint(BigInt(type), 0));
    return joined([prefix, toBinary(PacketSchema, create(PacketSchema, { payload }))]);
  });

/** DATA in the form of the fast path. */
const usualData = fc.record({ id: int64, data: fc.uint8Array({ minLength: 1, maxLength: 400 }) })
  .map(({ id, data }) => joined([dataHeader(connectId(id), data.length).subarray(5), data]));

/** A varint in up to four bytes more than it needs. */
function varint(value: bigint, extra: number): Uint8Array {
  const buffer = new Uint8Array(16);
  let end = writeVarint(buffer, 0, BigInt.asIntN(64, value));
  for (let i = 0; i < extra && end < 10; i++) {
    buffer[end - 1] = (buffer[end - 1] ?? 0) | 128;
    buffer[end++] = 0;
  }
  return buffer.subarray(0, end);
}

const padding = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) });

function varintField(number: number, value: fc.Arbitrary<bigint>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(value, padding, padding)
    .map(([of, a, b]) => joined([varint(BigInt(number << 3), a), varint(of, b)]));
}

function bytesField(number: number, value: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(value, padding, padding).map(([of, a, b]) =>
    joined([varint(BigInt((number << 3) | 2), a), varint(BigInt(of.length), b), of])
  );
}

/** The fields of Data in any order and number, with long varints and fields that nobody knows. */
const looseInner = fc.array(
  fc.oneof(
    varintField(1, int64),
    bytesField(3, bytes),
    bytesField(2, text.map((value) => new TextEncoder().encode(value))),
    varintField(9, int64),
    bytesField(17, bytes),
  ),
  { maxLength: 4 },
).map(joined);

/** The fields of a DATA packet likewise. */
const looseData = fc.array(
  fc.oneof(varintField(1, fc.constant(4n)), bytesField(4, looseInner), varintField(11, int64)),
  { maxLength: 4 },
).map((fields) => joined([Uint8Array.of(8, 4), ...fields]));

const stream = fc.array(fc.oneof(written, usualData, looseData).map(framed), { maxLength: 12 }).map(joined);

/** Cuts bytes at the given places, which may be out of order, equal or beyond the end. */
function cut(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
  return at.slice(1).map((end, i) => whole.subarray(at[i], end));
}

const places = fc.array(fc.nat(), { maxLength: 20 });

Deno.test("packets in any form and any chunks are read as the generated codec reads them, byte for byte", () => {
  fc.assert(
    fc.property(stream, places, (whole, at) => {
      assert.deepEqual(withReader(cut(whole, at)), withGeneratedCodec(whole));
    }),
    { numRuns: 1500 },
  );
});

Deno.test("byte by byte the same is read", () => {
  fc.assert(
    fc.property(stream, (whole) => {
      assert.deepEqual(withReader(Array.from(whole, (byte) => Uint8Array.of(byte))), withGeneratedCodec(whole));
    }),
    { numRuns: 200 },
  );
});

Deno.test("a stream with flipped bytes is read, or refused, just as the generated codec does it", () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(stream, flips, places, (whole, changes, at) => {
      const broken = whole.slice();
      for (const [place, byte] of changes) if (broken.length > 0) broken[place % broken.length] = byte;
      const expected = withGeneratedCodec(broken);
      const got = withReader(cut(broken, at));
      assert.equal(got.end, expected.end);
      assertBegins(got, expected);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("random bytes never end in anything but the framing's own errors, in whatever chunks they come", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), places, (whole, at) => {
      // Small lengths, so that more than the first prefix is read.
      const bytes = whole.map((byte, i) => i % 9 < 4 ? 0 : byte);
      assert.equal(withReader(cut(bytes, at)).end, withGeneratedCodec(bytes).end);
    }),
    { numRuns: 1500 },
  );
});

/** Of a last DATA packet that is cut off, the reader has handed on what was there; the oracle knows whole ones only. */
function assertBegins(got: Reading, expected: Reading): void {
  const rest = [...expected.events];
  got.events.forEach((event, i) => {
    const other = rest[i];
    const isLast = i === got.events.length - 1;
    if (isLast && typeof event === "object" && got.end === "truncated") {
      const known = typeof other === "object" && other.id === event.id ? other.bytes : "";
      assert.ok(other === undefined || event.bytes.startsWith(known));
    } else assert.deepEqual(event, other);
  });
}
