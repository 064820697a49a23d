import type { Packet } from "../../gen/client/client_pb.ts";
import { writeUint32 } from "./bytes.ts";
import { grpcPrefixBytes } from "./limits.ts";
import { varintLength, writeVarint } from "./varint.ts";

const largestSafe = BigInt(Number.MAX_SAFE_INTEGER);

/** Longest text that is written here; its length takes one byte. */
const maxTextBytes = 127;

/** Where a payload's fields are put together: room for three texts, and for two numbers of eleven bytes each. */
const fields = new Uint8Array(3 * (3 + maxTextBytes) + 2 * 11);

/** Bytes that frames are cut from: memory of its own costs a frame more than its making. */
const slabBytes = 4 * 1024;

/** No frame is longer: the fields, two varints of five bytes, and three that are shorter. */
const longestFrame = fields.length + 2 * 5 + 3 * 5;

let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

/** Where the next field is written; negative once one was met that is left to the generated code. */
let at = 0;

/**
 * A control packet as one gRPC message, in the very bytes of the generated codec, which takes twice as long and more.
 * @returns undefined for a packet that is left to the generated code: one with a text that is long or not ASCII, or with
 * fields that this version does not know
 */
export function encodeControlPacket(packet: Packet): Uint8Array<ArrayBuffer> | undefined {
  const { payload } = packet;
  if (packet.$unknown !== undefined || payload.value?.$unknown !== undefined) return undefined;
  at = 0;
  let field: number;
  switch (payload.case) {
    case "dialRequest":
      field = 2;
      text(1, payload.value.protocol);
      text(2, payload.value.address);
      int64(3, payload.value.random);
      text(100, payload.value.traceparent);
      break;
    case "dialResponse":
      field = 3;
      text(1, payload.value.error);
      int64(2, payload.value.connectID);
      int64(3, payload.value.random);
      text(100, payload.value.resolved);
      break;
    case "closeRequest":
      field = 5;
      int64(1, payload.value.connectID);
      break;
    case "closeResponse":
      field = 6;
      text(1, payload.value.error);
      int64(2, payload.value.connectID);
      break;
    case "closeDial":
      field = 7;
      int64(1, payload.value.random);
      break;
    case "closeWrite":
      field = 100;
      int64(1, payload.value.connectID);
      break;
    case "window":
      field = 101;
      int64(1, payload.value.connectID);
      int64(2, payload.value.bytes);
      break;
    case "ping":
      field = 102;
      break;
    case "pong":
      field = 103;
      break;
    default:
      return undefined;
  }
  // A type that this version does not know may be any number.
  return at < 0 || packet.type < 0 ? undefined : framed(packet.type, field, at);
}

function framed(type: number, field: number, fieldBytes: number): Uint8Array<ArrayBuffer> {
  // A length-delimited field.
  const tag = field << 3 | 2;
  const head = (type === 0 ? 0 : 1 + varintLength(type)) + varintLength(tag) + varintLength(fieldBytes);
  if (slabUsed + longestFrame > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabUsed = 0;
  }
  const begin = slabUsed;
  // Its first byte is zero: not compressed.
  writeUint32(slab, begin + 1, head + fieldBytes);
  let to = begin + grpcPrefixBytes;
  if (type !== 0) {
    slab[to++] = 1 << 3;
    to = writeVarint(slab, to, type);
  }
  to = writeVarint(slab, to, tag);
  to = writeVarint(slab, to, fieldBytes);
  for (let from = 0; from < fieldBytes; from++) slab[to++] = fields[from] ?? 0;
  slabUsed = to;
  return slab.subarray(begin, to);
}

/** A field with its default value is absent from a proto3 encoding. */
function text(field: number, value: string): void {
  const { length } = value;
  if (length === 0 || at < 0) return;
  if (length > maxTextBytes) return leave();
  at = writeVarint(fields, at, field << 3 | 2);
  fields[at++] = length;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code > 127) return leave();
    fields[at++] = code;
  }
}

function int64(field: number, value: bigint): void {
  if (value === 0n || at < 0) return;
  fields[at++] = field << 3;
  const small = value > 0n && value <= largestSafe;
  at = writeVarint(fields, at, small ? Number(value) : value);
}

/** Leaves the packet to the generated code. */
function leave(): void {
  at = -1;
}
