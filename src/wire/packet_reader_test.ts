import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { PacketSchema } from "../../gen/client/client_pb.ts";
import { dataHeader } from "./data_header.ts";
import { wireLimits } from "./limits.ts";
import { closeRequest, dataPacket, dialed, drain, framePacket, PacketType } from "./packet.ts";
import { PacketCounts, unknownPacketType } from "./packet_counts.ts";
import { PacketError, type PacketErrorCode } from "./packet_error.ts";
import { PacketReader } from "./packet_reader.ts";
import { concat } from "../../tests/support/memory/h2_peer.ts";
import { frame, frameHex, PacketRecorder } from "../../tests/support/memory/packet_recorder.ts";

function read(...chunks: readonly Uint8Array[]): PacketRecorder {
  const recorder = new PacketRecorder();
  const reader = new PacketReader(recorder);
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return recorder;
}

function refused(code: PacketErrorCode, ...chunks: readonly Uint8Array[]): void {
  assert.throws(() => read(...chunks), (error) => error instanceof PacketError && error.code === code, code);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_byte, at) => at * 31 + (at >> 8));
}

/** One of every kind, DATA of several lengths among them. */
const mixed = concat(
  framePacket(dialed(2n ** 63n - 1n, 1)),
  framePacket(dataPacket(1, pattern(1))),
  framePacket(dataPacket(300, pattern(200))),
  frame(new Uint8Array(0)),
  framePacket(closeRequest(70_000)),
  framePacket(dataPacket(70_000, pattern(20_000))),
  framePacket(dataPacket(-1n, pattern(3))),
  framePacket(drain()),
);

function assertMixed(recorder: PacketRecorder): void {
  assert.deepEqual(recorder.data, concat(pattern(1), pattern(200), pattern(20_000), pattern(3)));
  assert.deepEqual(recorder.ids, [1, 300, 70_000, -1n]);
  assert.deepEqual(
    recorder.packets.map((packet) => toBinary(PacketSchema, packet).toHex()),
    ["08011a0c100118ffffffffffffffff7f", "", "08022a0408f0a204", "08064200"],
  );
}

Deno.test("packets that come in one chunk are handed on one by one, in order", () => {
  assertMixed(read(mixed));
});

Deno.test("a stream that is cut in two at any byte gives the same packets", () => {
  const edge = mixed.length - 20_100;
  for (let at = 0; at <= mixed.length; at += at < edge || at > mixed.length - 100 ? 1 : 397) {
    assertMixed(read(mixed.subarray(0, at), mixed.subarray(at)));
  }
});

Deno.test("a stream that comes byte by byte gives the same packets", () => {
  assertMixed(read(...Array.from(mixed, (byte) => Uint8Array.of(byte))));
});

Deno.test("empty chunks change nothing", () => {
  const empty = new Uint8Array(0);
  assertMixed(read(empty, mixed.subarray(0, 3), empty, mixed.subarray(3, 30), empty, mixed.subarray(30), empty));
});

Deno.test("a payload goes on as views of the chunks that it came in", () => {
  const chunk = framePacket(dataPacket(1, pattern(1000)));
  const tail = new Uint8Array(500);
  const { seen } = read(
    concat(dataHeader(1, 1500)).subarray(0, 4),
    concat(dataHeader(1, 1500).subarray(4), pattern(1000)),
    tail,
    chunk,
  );
  const buffers = seen.map((one) => Array.isArray(one) ? one[1].buffer : assert.fail());
  assert.equal(buffers.length, 3);
  assert.equal(buffers[1], tail.buffer);
  assert.equal(buffers[2], chunk.buffer);
});

Deno.test("a header that is cut off does not make the chunk behind it be copied", () => {
  const header = dataHeader(1, 64 * 1024);
  const payload = pattern(64 * 1024);
  for (let at = 1; at < header.length; at++) {
    const rest = concat(header.subarray(at), payload);
    const { seen } = read(header.subarray(0, at), rest);
    assert.equal(seen.length, 1, "one piece, not a crumb and the rest");
    const [first] = seen;
    assert.ok(Array.isArray(first) && first[1].buffer === rest.buffer && first[1].length === payload.length);
  }
});

Deno.test("a message without a byte is a DIAL_REQ without payload", () => {
  const { seen } = read(frame(new Uint8Array(0)));
  const [packet] = seen;
  assert.ok(packet !== undefined && !Array.isArray(packet));
  assert.equal(packet.type, PacketType.DIAL_REQ);
  assert.equal(packet.payload.case, undefined);
});

Deno.test("every type may come without its payload", () => {
  for (let type = 0; type <= 6; type++) {
    const { packets } = read(frameHex(`080${type}`));
    assert.equal(packets.length, 1);
    assert.equal(packets[0]?.type, type);
    assert.equal(packets[0]?.payload.case, undefined);
  }
});

Deno.test("a payload that does not match the type is handed on as it is, for the receiver to judge", () => {
  // A DATA packet with a close request, and a close request with data.
  const { packets, data } = read(frameHex("0804" + "2a020801"), frameHex("0802" + "22050801" + "1a0161"));
  assert.deepEqual(packets.map(({ type, payload }) => [type, payload.case]), [
    [PacketType.DATA, "closeRequest"],
    [PacketType.CLOSE_REQ, "data"],
  ]);
  assert.equal(data.length, 0);
});

Deno.test("packets of unknown types and with unknown fields are handed on", () => {
  const { packets } = read(
    frameHex("084d"),
    frameHex("08ffffffffffffffffff01"),
    frameHex("0806" + "4200" + "9a060178"),
  );
  assert.deepEqual(packets.map((packet) => packet.type), [77, -1, PacketType.DRAIN]);
});

Deno.test("empty DATA is never delivered, whichever way it is written", () => {
  for (const message of ["0804", "08042200", "080422020801", "0804220408011a00", "080422021a00", "22020801" + "0804"]) {
    assert.equal(read(frameHex(message)).data.length, 0, message);
  }
  assert.deepEqual(read(frameHex("0804"), framePacket(drain())).packets.at(-1)?.type, PacketType.DRAIN);
});

Deno.test("DATA in any form that protobuf allows is read like the usual one", () => {
  const forms: Record<string, string> = {
    "usual": "0804" + "2205" + "0807" + "1a0161",
    "without an id": "0804" + "2203" + "1a0161",
    "payload field first": "2205" + "0807" + "1a0161" + "0804",
    "data before id": "0804" + "2205" + "1a0161" + "0807",
    "type twice": "0806" + "0804" + "2205" + "0807" + "1a0161",
    "type twice behind the usual start": "0804" + "0804" + "2205" + "0807" + "1a0161",
    "id twice, the last counts": "0804" + "2207" + "0801" + "0807" + "1a0161",
    "data twice, the last counts": "0804" + "2208" + "0807" + "1a0162" + "1a0161",
    "payload in two parts that are merged": "0804" + "22020807" + "22031a0161",
    "an error field": "0804" + "2208" + "0807" + "120178" + "1a0161",
    "an error field at the end": "0804" + "2208" + "0807" + "1a0161" + "120178",
    "an unknown field inside": "0804" + "2207" + "0807" + "7801" + "1a0161",
    "an unknown field behind": "0804" + "2205" + "0807" + "1a0161" + "7801",
    "type in two bytes": "088400" + "2205" + "0807" + "1a0161",
    "type in ten bytes": "0884808080808080808000" + "2205" + "0807" + "1a0161",
    "length in two bytes": "0804" + "228500" + "0807" + "1a0161",
    "length in five bytes": "0804" + "228580808000" + "0807" + "1a0161",
    "id in two bytes": "0804" + "2206" + "088700" + "1a0161",
    "id in six bytes": "0804" + "220a" + "08878080808000" + "1a0161",
    "data length in two bytes": "0804" + "2206" + "0807" + "1a8100" + "61",
    "a tag in two bytes": "0804" + "2206" + "8800" + "07" + "1a0161",
  };
  for (const [form, message] of Object.entries(forms)) {
    const framed = frameHex(message);
    for (let at = 0; at <= framed.length; at++) {
      const { seen } = read(framed.subarray(0, at), framed.subarray(at));
      assert.deepEqual(seen, [[form === "without an id" ? 0 : 7, Uint8Array.of(0x61)]], `${form}, cut at ${at}`);
    }
  }
});

Deno.test("ids are exact: negative, beyond 2^53 and of 63 bits", () => {
  for (const id of [-1n, -(2n ** 63n), 2n ** 53n, 2n ** 63n - 1n]) {
    assert.deepEqual(read(framePacket(dataPacket(id, pattern(3)))).seen, [[id, pattern(3)]]);
  }
  assert.deepEqual(read(framePacket(dataPacket(2 ** 28 - 1, pattern(3)))).ids, [2 ** 28 - 1]);
  assert.deepEqual(read(framePacket(dataPacket(2 ** 28, pattern(3)))).ids, [2 ** 28]);
  assert.deepEqual(read(framePacket(dataPacket(Number.MAX_SAFE_INTEGER, pattern(3)))).ids, [Number.MAX_SAFE_INTEGER]);
});

Deno.test("DATA of one byte to 4 MiB comes through in pieces of any size", () => {
  const largest = wireLimits.maxMessageBytes - (dataHeader(1, wireLimits.maxMessageBytes).length - 5);
  for (
    const [length, pieceBytes] of [[1, 1], [2, 1], [1000, 7], [65_536, 100], [largest, 16_384], [largest, 1 << 22]]
  ) {
    assert.ok(length !== undefined && pieceBytes !== undefined);
    const payload = pattern(length);
    const framed = concat(dataHeader(1, length), payload, framePacket(drain()));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < framed.length; at += pieceBytes) chunks.push(framed.subarray(at, at + pieceBytes));
    const recorder = read(...chunks);
    assert.deepEqual(recorder.data, payload);
    assert.equal(recorder.packets.length, 1);
  }
});

Deno.test("a message of 4 MiB is taken, one byte more is refused before it is collected", () => {
  const text = new Uint8Array(wireLimits.maxMessageBytes - 12).fill(0x61);
  const inner = concat(Uint8Array.fromHex("0a"), varint(text.length), text);
  const message = concat(Uint8Array.fromHex("12"), varint(inner.length), inner);
  const padded = concat(message, Uint8Array.fromHex("7801".repeat((wireLimits.maxMessageBytes - message.length) / 2)));
  assert.equal(padded.length, wireLimits.maxMessageBytes);
  assert.equal(read(frame(padded)).packets.length, 1);
  refused("too-large", Uint8Array.of(0, 0, 0x40, 0, 1));
  refused("too-large", Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff));
  // In the shape of DATA too.
  refused("too-large", dataHeader(1, wireLimits.maxMessageBytes));
});

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Uint8Array.from([...bytes, value]);
}

Deno.test("a message with the compressed flag, or with any other flag, is refused", () => {
  for (const flags of [1, 2, 0x80, 0xff]) {
    const framed = framePacket(drain());
    framed[0] = flags;
    refused("compressed", framed);
    refused("compressed", ...Array.from(framed, (byte) => Uint8Array.of(byte)));
  }
});

Deno.test("a stream that ends inside a message is truncated, at whichever byte", () => {
  for (const framed of [framePacket(closeRequest(1)), framePacket(dataPacket(1, pattern(50)))]) {
    for (let at = 1; at < framed.length; at++) refused("truncated", framed.subarray(0, at));
    for (let at = 1; at < framed.length; at++) refused("truncated", framed, framed.subarray(0, at));
  }
});

Deno.test("bytes that are no packet are refused as malformed", () => {
  for (
    const message of ["ff", "08", "0804" + "22", "0804" + "2205" + "0807", "0804" + "22ff", "0804" + "2203" + "1a0261"]
  ) {
    refused("malformed", frameHex(message));
    refused("malformed", ...Array.from(frameHex(message), (byte) => Uint8Array.of(byte)));
  }
});

Deno.test("lengths of DATA that contradict each other are not trusted", () => {
  // The inner length reaches beyond the message, then the payload's length beyond the inner one.
  refused("malformed", frameHex("0804" + "2206" + "0807" + "1a0161"), framePacket(drain()));
  refused("malformed", frameHex("0804" + "2205" + "0807" + "1a0261"), framePacket(drain()));
  // The inner length ends early: what is left must be fields, and is none.
  refused("malformed", frameHex("0804" + "2205" + "0807" + "1a0161" + "ff"));
});

Deno.test("a peer that sends a large message byte by byte costs linear time and bounded memory", () => {
  const address = new Uint8Array(1_000_000).fill(0x61);
  const inner = concat(Uint8Array.fromHex("12"), varint(address.length), address);
  const framed = frame(concat(Uint8Array.fromHex("12"), varint(inner.length), inner));
  const recorder = new PacketRecorder();
  const reader = new PacketReader(recorder);
  // One buffer is used for every byte: were chunks kept, the message would come out as its last byte throughout.
  const byte = new Uint8Array(1);
  for (const value of framed) {
    byte[0] = value;
    reader.push(byte);
  }
  const [packet] = recorder.packets;
  assert.ok(packet?.payload.case === "dialRequest" && packet.payload.value.address === "a".repeat(1_000_000));
});

Deno.test("a peer that only announces a large message makes this side hold what it sent and no more", () => {
  const before = Deno.memoryUsage();
  const readers: PacketReader[] = [];
  for (let i = 0; i < 2000; i++) {
    const reader = new PacketReader(new PacketRecorder());
    reader.push(Uint8Array.fromHex("0000400000" + "12ffffff01"));
    readers.push(reader);
  }
  const after = Deno.memoryUsage();
  // Held up front, this would be 8 GiB.
  assert.ok(after.external - before.external < 100 * 1024 * 1024);
  assert.equal(readers.length, 2000);
});

Deno.test("counts: DATA once a packet by its header, payload bytes as they come, other packets by type", () => {
  const framed = concat(
    mixed,
    frameHex("0804" + "2205" + "1a0161" + "0807"),
    frameHex("0804220408011a00"),
    frameHex("084d"),
  );
  for (const chunkBytes of [1, 7, 1024, framed.length]) {
    const counts = new PacketCounts();
    const reader = new PacketReader(new PacketRecorder(), counts);
    for (let at = 0; at < framed.length; at += chunkBytes) reader.push(framed.subarray(at, at + chunkBytes));
    assert.deepEqual(Object.fromEntries([...counts.entries()].map(({ type, count }) => [type, count])), {
      [PacketType.DIAL_REQ]: 1,
      [PacketType.DIAL_RSP]: 1,
      [PacketType.CLOSE_REQ]: 1,
      [PacketType.DATA]: 6,
      [PacketType.DRAIN]: 1,
      [unknownPacketType]: 1,
    });
    assert.equal(counts.dataBytes, 1 + 200 + 20_000 + 3 + 1);
  }
});

Deno.test("counts: a packet is counted when its header is there, before its payload is", () => {
  const counts = new PacketCounts();
  const reader = new PacketReader(new PacketRecorder(), counts);
  reader.push(dataHeader(1, 100));
  assert.equal(counts.of(PacketType.DATA), 1);
  assert.equal(counts.dataBytes, 0);
  reader.push(pattern(60));
  reader.push(pattern(40));
  assert.equal(counts.of(PacketType.DATA), 1);
  assert.equal(counts.dataBytes, 100);
});

Deno.test("a payload that was collected may be kept: what comes later is not written over it", () => {
  const kept: Uint8Array[] = [];
  const reader = new PacketReader({ onData: (_id, payload) => void kept.push(payload), onPacket: () => {} });
  // In a form that is decoded as a whole: the payload stands before the id.
  const unusual = (byte: number) => frameHex(`080422061a02${byte.toString(16).repeat(4)}0801`);
  for (const byte of [10, 11]) {
    for (const one of unusual(byte)) reader.push(Uint8Array.of(one));
  }
  assert.deepEqual(kept.map((payload) => payload.toHex()), ["aaaa", "bbbb"]);
});
