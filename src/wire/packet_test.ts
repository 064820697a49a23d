import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { PacketSchema } from "../../gen/client/client_pb.ts";
import { grpcPrefixBytes, wireLimits } from "./limits.ts";
import {
  closeDial,
  closeRequest,
  closeResponse,
  dataPacket,
  decodePacket,
  dialed,
  dialFailed,
  dialRequest,
  drain,
  framePacket,
  type Packet,
  PacketType,
  packetTypeName,
} from "./packet.ts";
import { PacketError } from "./packet_error.ts";

/** The message of a packet, without the gRPC prefix, in hex. */
function body(packet: Packet): string {
  const framed = framePacket(packet);
  const message = framed.subarray(grpcPrefixBytes);
  assert.equal(framed[0], 0, "no compression");
  assert.equal(new DataView(framed.buffer, framed.byteOffset).getUint32(1), message.length);
  return message.toHex();
}

function hex(text: string): string {
  return new TextEncoder().encode(text).toHex();
}

/** 2^63-1, the largest `random`, as a varint. */
const largestRandom = 2n ** 63n - 1n;
const largestVarint = "ffffffffffffffff7f";

Deno.test("[client 0.1] packets have the bytes that were captured from the original", () => {
  const target = { protocol: "tcp", address: "localhost:18000" };
  const request = `0a03${hex("tcp")}120f${hex("localhost:18000")}18`;
  assert.equal(body(dialRequest(target, largestRandom)), `1220${request}${largestVarint}`);
  assert.equal(body(dialed(largestRandom, 1)), `08011a0c100118${largestVarint}`);
  const refused = "dial tcp 127.0.0.1:1: connect: connection refused";
  assert.equal(body(dialFailed(largestRandom, refused)), `08011a3d0a31${hex(refused)}18${largestVarint}`);
  assert.equal(body(dataPacket(1, new Uint8Array(103).fill(0x61))), `0804226b08011a67${"61".repeat(103)}`);
  assert.equal(body(closeRequest(1)), "08022a020801");
  assert.equal(body(closeResponse(1)), "080332021001");
  assert.equal(body(closeDial(largestRandom)), `08053a0a08${largestVarint}`);
  assert.equal(body(drain()), "08064200");
});

Deno.test("[client 0.1] a random of 63 bits survives exactly", () => {
  const packet = decodePacket(framePacket(dialRequest({ protocol: "tcp", address: "a:1" }, largestRandom)).subarray(5));
  assert.equal(packet.payload.case === "dialRequest" && packet.payload.value.random, largestRandom);
});

Deno.test("an empty message is a DIAL_REQ without a payload", () => {
  const packet = decodePacket(new Uint8Array(0));
  assert.equal(packet.type, PacketType.DIAL_REQ);
  assert.equal(packet.payload.case, undefined);
});

Deno.test("unknown types and fields are kept, so that a packet of a later version passes through unharmed", () => {
  // type 77; field 99 with the bytes "x"; field 2047 with the number 5.
  const message = Uint8Array.fromHex("084d" + "9a0601" + "78" + "f87f05");
  const packet = decodePacket(message);
  assert.equal(packet.type, 77);
  assert.equal(packetTypeName(packet.type), "Unknown");
  assert.deepEqual(framePacket(packet).subarray(5), message);
});

Deno.test("every known type has its name and every other shares one", () => {
  const names = ["DIAL_REQ", "DIAL_RSP", "CLOSE_REQ", "CLOSE_RSP", "DATA", "DIAL_CLS", "DRAIN"];
  assert.deepEqual(names.map((_name, type) => packetTypeName(type)), names);
  for (const type of [-1, 7, 99, 2 ** 31 - 1]) assert.equal(packetTypeName(type), "Unknown");
});

Deno.test("bytes that are no protobuf are refused as malformed, with the decoder's reason as cause", () => {
  for (const message of ["ff", "08", "2205", "22ff", "07", "1a02ffff", "12030a0261"]) {
    assert.throws(
      () => decodePacket(Uint8Array.fromHex(message)),
      (error) => error instanceof PacketError && error.code === "malformed" && error.cause !== undefined,
      message,
    );
  }
});

Deno.test("an error text of any length makes a packet far below the limit of the receiver", () => {
  const long = `dial tcp ${"x".repeat(wireLimits.maxMessageBytes)}`;
  for (const packet of [dialFailed(1n, long), closeResponse(1, long)]) {
    assert.ok(framePacket(packet).length < 3 * wireLimits.maxErrorLength + 32);
  }
  const longest = closeResponse(1, "a".repeat(wireLimits.maxErrorLength)).payload;
  assert.equal(longest.case === "closeResponse" && longest.value.error, "a".repeat(wireLimits.maxErrorLength));
  const cut = closeResponse(1, "ab".repeat(wireLimits.maxErrorLength)).payload;
  assert.ok(cut.case === "closeResponse" && cut.value.error.endsWith("ba…"));
});

Deno.test("an error text is cut between characters, never inside one", () => {
  for (const lead of ["", "a"]) {
    const packet = dialFailed(1n, lead + "😀".repeat(wireLimits.maxErrorLength));
    // Ill-formed text would make the encoder throw.
    assert.ok(framePacket(packet).length > wireLimits.maxErrorLength);
  }
});

Deno.test("a message that this side creates never aliases another's payload object", () => {
  assert.notEqual(drain().payload.value, drain().payload.value);
  assert.deepEqual(create(PacketSchema, {}).payload, { case: undefined });
});

Deno.test("a dial carries its trace to an agent that takes it, and to no other", () => {
  const target = { protocol: "tcp", address: "a:1", traceparent: "00-1-2-01" };
  const told = (...traced: boolean[]) => {
    const { payload } = dialRequest(target, 1n, ...traced);
    return payload.case === "dialRequest" ? payload.value.traceparent : undefined;
  };
  assert.deepEqual([told(), told(false), told(true)], ["", "", target.traceparent]);
});
