import { writeUint32 } from "./bytes.ts";
import type { ConnectId } from "./connect_id.ts";
import { PacketType } from "./packet.ts";
import { grpcPrefixBytes } from "./limits.ts";
import { varintLength, writeVarint } from "./varint.ts";

/** Protobuf tags of a DATA packet: field number shifted left by three, or'ed with the wire type. */
export const dataTags = {
  /** Packet.type, varint. */
  type: 0x08,
  /** Packet.data, length-delimited. */
  data: 0x22,
  /** Data.connectID, varint. */
  connectId: 0x08,
  /** Data.data, length-delimited. */
  bytes: 0x1a,
} as const;

/**
 * All bytes of a framed DATA packet that come before its payload of `payloadBytes` bytes, which is at least one. Writing
 * this and then the payload itself sends the packet without a copy, in the very bytes of the generated codec.
 */
export function dataHeader(id: ConnectId, payloadBytes: number): Uint8Array<ArrayBuffer> {
  // A field with its default value, zero, is absent from a proto3 encoding.
  const idField = id === 0 ? 0 : 1 + varintLength(id);
  const inner = idField + 1 + varintLength(payloadBytes) + payloadBytes;
  const message = 3 + varintLength(inner) + inner;
  const header = new Uint8Array(grpcPrefixBytes + message - payloadBytes);
  writeUint32(header, 1, message);
  header[5] = dataTags.type;
  header[6] = PacketType.DATA;
  header[7] = dataTags.data;
  let at = writeVarint(header, 8, inner);
  if (idField > 0) {
    header[at++] = dataTags.connectId;
    at = writeVarint(header, at, id);
  }
  header[at++] = dataTags.bytes;
  writeVarint(header, at, payloadBytes);
  return header;
}
