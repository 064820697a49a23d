import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type Packet, PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { controlPayload } from "../../tests/support/memory/random_packets.ts";
import { grpcPrefixBytes } from "./limits.ts";
import { dataPacket, drain } from "./packet.ts";
import { encodeControlPacket } from "./control_packet.ts";

/** The generated codec's message behind a gRPC prefix. */
function generated(packet: Packet): Uint8Array {
  const message = toBinary(PacketSchema, packet);
  const bytes = new Uint8Array(grpcPrefixBytes + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, grpcPrefixBytes);
  return bytes;
}

Deno.test("a control packet has the generated codec's bytes, whatever its fields and its type", () => {
  const type = fc.oneof(fc.constantFrom(0, 1, 2, 3, 5, 100, 101, 102, 103), fc.integer({ min: 0, max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(type, controlPayload, (type, payload) => {
      const packet = create(PacketSchema, { type: type as PacketType, payload });
      assert.deepEqual(encodeControlPacket(packet), generated(packet));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("what the generated codec is needed for is left to it", () => {
  const answer = (error: string) =>
    create(PacketSchema, { type: PacketType.DIAL_RSP, payload: { case: "dialResponse", value: { error } } });
  const unknown = [{ no: 500, wireType: 0, data: Uint8Array.of(1) }];
  const later = answer("");
  later.$unknown = unknown;
  const inner = answer("");
  if (inner.payload.case === "dialResponse") inner.payload.value.$unknown = unknown;
  const request = (protocol: string, address: string) =>
    create(PacketSchema, { payload: { case: "dialRequest", value: { protocol, address, random: 7n } } });
  const left = {
    "a long text": answer("x".repeat(128)),
    "a text that is not ASCII": answer("connexion refusée"),
    "the first character that is not ASCII": answer("\x80"),
    "the first of two texts": request("ü", "localhost:80"),
    "unknown fields": later,
    "unknown fields within": inner,
    "a type below zero": create(PacketSchema, {
      type: -1 as PacketType,
      payload: { case: "closeDial", value: { random: 1n } },
    }),
    "no payload": create(PacketSchema, { type: PacketType.DIAL_REQ }),
    "bytes": dataPacket(1, new Uint8Array(3)),
    "a packet that is rare": drain(),
  };
  for (const [what, packet] of Object.entries(left)) assert.equal(encodeControlPacket(packet), undefined, what);
  // And nothing of it is left behind in the next packet.
  assert.deepEqual(encodeControlPacket(request("tcp", "localhost:80")), generated(request("tcp", "localhost:80")));
});

const longestText = "x".repeat(127);
/** The longest frame that there is. */
const longest = create(PacketSchema, {
  type: 2 ** 31 - 1 as PacketType,
  payload: {
    case: "dialRequest",
    value: { protocol: longestText, address: longestText, random: -1n, traceparent: longestText },
  },
});

Deno.test("the longest frame is whole, wherever in the memory for frames it begins", () => {
  const slabBytes = 4096;
  const expected = generated(longest);
  const filler = (bytes: number) =>
    create(PacketSchema, { payload: { case: "closeResponse", value: { error: "x".repeat(bytes - 9) } } });
  for (let room = expected.length - 8; room <= expected.length + 32; room++) {
    // One frame of up to 134 bytes ends at the place.
    for (let used = 0; used !== slabBytes - room;) {
      const left = slabBytes - room - used;
      const frame = encodeControlPacket(filler(left >= 10 && left <= 134 ? left : 60));
      assert.ok(frame !== undefined);
      used = frame.byteOffset + frame.length;
    }
    assert.deepEqual(encodeControlPacket(longest), expected, `${room} bytes are left`);
  }
});
