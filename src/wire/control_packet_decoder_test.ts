import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type Packet, PacketSchema, type PacketType } from "../../gen/client/client_pb.ts";
import { controlPayload } from "../../tests/support/memory/random_packets.ts";
import { decodeControlPacket } from "./control_packet_decoder.ts";

function generated(message: Uint8Array): Packet | undefined {
  try {
    return fromBinary(PacketSchema, message);
  } catch {
    return undefined;
  }
}

Deno.test("a control packet is read as the generated codec reads it, whatever its fields and its type", () => {
  const type = fc.oneof(fc.constantFrom(0, 1, 2, 3, 5, 100, 101, 102, 103), fc.integer({ min: 0, max: 2 ** 28 - 1 }));
  fc.assert(
    fc.property(type, controlPayload, (type, payload) => {
      const message = toBinary(PacketSchema, create(PacketSchema, { type: type as PacketType, payload }));
      const packet = decodeControlPacket(message);
      assert.ok(packet !== undefined);
      assert.deepEqual(packet, fromBinary(PacketSchema, message));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("of bytes that are changed, cut or put behind each other nothing is read that the generated codec reads otherwise", () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(), twice: fc.boolean() });
  let read = 0;
  fc.assert(
    fc.property(controlPayload, fc.array(change, { maxLength: 4 }), (payload, changes) => {
      let bytes = toBinary(PacketSchema, create(PacketSchema, { type: 1, payload }));
      for (const { at, byte, cut, twice } of changes) {
        bytes = twice
          ? Uint8Array.of(...bytes, ...bytes)
          : bytes.slice(0, cut % 8 === 0 ? cut % (bytes.length + 1) : undefined);
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
      }
      const packet = decodeControlPacket(bytes);
      if (packet === undefined) return;
      read++;
      assert.deepEqual(packet, generated(bytes));
    }),
    { numRuns: 5_000 },
  );
  assert.ok(read > 500, `${read} of them were read`);
});

Deno.test("what the generated codec is needed for is left to it", () => {
  const bytes = (packet: Parameters<typeof create<typeof PacketSchema>>[1]) =>
    toBinary(PacketSchema, create(PacketSchema, packet));
  const close = bytes({ type: 3, payload: { case: "closeResponse", value: { connectID: 7n } } });
  const left: Readonly<Record<string, Uint8Array>> = {
    "nothing": new Uint8Array(0),
    "DATA": bytes({ type: 5, payload: { case: "data", value: { connectID: 7n, data: new Uint8Array(3) } } }),
    "DRAIN": bytes({ type: 6, payload: { case: "drain", value: {} } }),
    "no payload": bytes({ type: 1 }),
    "a long text": bytes({ payload: { case: "closeResponse", value: { error: "x".repeat(128) } } }),
    "a text that is not ASCII": bytes({ payload: { case: "closeResponse", value: { error: "connexion refusée" } } }),
    "a text with the least byte that is not ASCII": Uint8Array.of(0x32, 3, 0x0a, 1, 0x80),
    "a text that is not ASCII and looks like a later field": Uint8Array.of(0x1a, 5, 0x0a, 3, 0xa2, 0x06, 0),
    "an unknown field": Uint8Array.of(...close, 0x20, 1),
    "an unknown field within": Uint8Array.of(0x32, 2, 0x20, 1),
    "two payloads": Uint8Array.of(...close, ...close),
    "fields out of order": Uint8Array.of(0x32, 4, 0x10, 7, 0x0a, 0),
    "a field twice": Uint8Array.of(0x32, 4, 0x10, 7, 0x10, 8),
    "the type behind the payload": Uint8Array.of(0x32, 2, 0x10, 7, 0x08, 3),
    "a length beyond the message": Uint8Array.of(0x32, 3, 0x10, 7),
    "a type of 29 bits": bytes({ type: 2 ** 28 as PacketType, payload: { case: "ping", value: {} } }),
    "a length of 29 bits": Uint8Array.of(0x32, 0x80, 0x80, 0x80, 0x80, 1, 0x10, 7),
    "an int64 of eleven bytes": Uint8Array.of(0x32, 12, 0x10, ...new Array(10).fill(0x80), 1),
  };
  for (const [what, message] of Object.entries(left)) assert.equal(decodeControlPacket(message), undefined, what);
});

Deno.test("the longest text is read", () => {
  const packet = create(PacketSchema, { payload: { case: "closeResponse", value: { error: "x".repeat(127) } } });
  assert.deepEqual(decodeControlPacket(toBinary(PacketSchema, packet)), packet);
});
