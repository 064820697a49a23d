import type { Packet, PacketType } from "../../gen/client/client_pb.ts";
import { byteAt } from "./bytes.ts";

/** Longest text that is read here: a longer one would be put together from as many pieces, each larger than what it adds. */
const maxTextBytes = 127;

/**
 * Where the next field begins; negative once a form was met that is left to the generated code. No byte is there, which
 * reads as zero, and that is no field's tag.
 */
let at = 0;

/**
 * Reads the body of a control packet's message as the generated codec does, which takes several times as long.
 * @returns undefined for what is left to the generated code, with whatever is wrong with it: a packet of another kind, one
 * whose fields are unknown, repeated or out of order, or one with a text that is long or not ASCII
 */
export function decodeControlPacket(message: Uint8Array): Packet | undefined {
  at = 0;
  const end = message.length;
  let type = 0;
  if (byteAt(message, 0) === 1 << 3) {
    at = 1;
    type = small(message, end);
  }
  const tag = small(message, end);
  const length = small(message, end);
  // Where a varint was left, the length is zero, and this is no end.
  if (at + length !== end) return undefined;
  const payload = payloadOf(message, tag, end);
  // Negative, or before the end: something is there that was not expected at its place.
  if (payload === undefined || at !== end) return undefined;
  return { $typeName: "Packet", type: type as PacketType, payload };
}

function payloadOf(message: Uint8Array, tag: number, end: number): Packet["payload"] | undefined {
  switch (tag) {
    case 2 << 3 | 2: {
      const protocol = text(message, end, 1 << 3 | 2);
      const address = text(message, end, 2 << 3 | 2);
      const random = int64(message, end, 3 << 3);
      const traceparent = laterText(message, end);
      return { case: "dialRequest", value: { $typeName: "DialRequest", protocol, address, random, traceparent } };
    }
    case 3 << 3 | 2: {
      const error = text(message, end, 1 << 3 | 2);
      const connectID = int64(message, end, 2 << 3);
      const random = int64(message, end, 3 << 3);
      const resolved = laterText(message, end);
      return { case: "dialResponse", value: { $typeName: "DialResponse", error, connectID, random, resolved } };
    }
    case 5 << 3 | 2: {
      const connectID = int64(message, end, 1 << 3);
      return { case: "closeRequest", value: { $typeName: "CloseRequest", connectID } };
    }
    case 6 << 3 | 2: {
      const error = text(message, end, 1 << 3 | 2);
      const connectID = int64(message, end, 2 << 3);
      return { case: "closeResponse", value: { $typeName: "CloseResponse", error, connectID } };
    }
    case 7 << 3 | 2: {
      const random = int64(message, end, 1 << 3);
      return { case: "closeDial", value: { $typeName: "CloseDial", random } };
    }
    case 100 << 3 | 2: {
      const connectID = int64(message, end, 1 << 3);
      return { case: "closeWrite", value: { $typeName: "CloseWrite", connectID } };
    }
    case 101 << 3 | 2: {
      const connectID = int64(message, end, 1 << 3);
      const bytes = int64(message, end, 2 << 3);
      return { case: "window", value: { $typeName: "Window", connectID, bytes } };
    }
    case 102 << 3 | 2:
      return { case: "ping", value: { $typeName: "Ping" } };
    case 103 << 3 | 2:
      return { case: "pong", value: { $typeName: "Pong" } };
    default:
      return undefined;
  }
}

/** A varint of at most 28 bits. */
function small(message: Uint8Array, end: number): number {
  if (at < 0) return 0;
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (at >= end) return leave();
    const byte = byteAt(message, at++);
    value |= (byte & 127) << shift;
    if (byte < 128) return value;
  }
  return leave();
}

/** An int64; zero, the default, where another field stands here. */
function int64(message: Uint8Array, end: number, tag: number): bigint {
  if (at >= end || byteAt(message, at) !== tag) return 0n;
  at++;
  let value = 0;
  let factor = 1;
  // 49 bits: sums stay exact, and only what is longer takes a bigint for each byte.
  for (let count = 0; count < 7; count++) {
    if (at >= end) return BigInt(leave());
    const byte = byteAt(message, at++);
    value += (byte & 127) * factor;
    if (byte < 128) return BigInt(value);
    factor *= 128;
  }
  return rest(message, end, value);
}

/** The bytes of an int64 behind the first seven. @param low what those seven hold */
function rest(message: Uint8Array, end: number, low: number): bigint {
  let value = BigInt(low);
  for (let shift = 49n; shift < 70n; shift += 7n) {
    if (at >= end) return BigInt(leave());
    const byte = byteAt(message, at++);
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asIntN(64, value);
  }
  return BigInt(leave());
}

/** A text of a field below 16; empty, the default, where another field stands here. */
function text(message: Uint8Array, end: number, tag: number): string {
  if (at >= end || byteAt(message, at) !== tag) return "";
  at++;
  return ascii(message, end);
}

/** The text of field 100, the first that the original does not have. */
function laterText(message: Uint8Array, end: number): string {
  const tag = 100 << 3 | 2;
  if (at + 1 >= end) return "";
  if (byteAt(message, at) !== (tag & 127 | 128) || byteAt(message, at + 1) !== tag >> 7) return "";
  at += 2;
  return ascii(message, end);
}

function ascii(message: Uint8Array, end: number): string {
  const length = small(message, end);
  const behind = at + length;
  if (length > maxTextBytes || behind > end) {
    leave();
    return "";
  }
  let value = "";
  for (; at < behind; at++) {
    const code = byteAt(message, at);
    if (code > 127) {
      leave();
      return "";
    }
    value += String.fromCharCode(code);
  }
  return value;
}

/** Leaves the packet to the generated code. */
function leave(): number {
  at = -1;
  return 0;
}
