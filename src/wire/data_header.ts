import { writeUint32 } from "./bytes.ts";
import type { ConnectId } from "./connect_id.ts";
import { dataPacket, framePacket } from "./packet.ts";
import { grpcPrefixBytes } from "./limits.ts";
import { varintLength, writeVarint } from "./varint.ts";
import { PacketType } from "../../gen/client/client_pb.ts";

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
 * All bytes of a framed DATA packet that come before its payload of `payloadBytes` bytes. Writing this and then the
 * payload itself sends the packet without a copy.
 */
export function dataHeader(id: ConnectId, payloadBytes: number): Uint8Array {
  if (typeof id === "bigint") return bigDataHeader(id, payloadBytes);
  const inner = 1 + varintLength(id) + 1 + varintLength(payloadBytes) + payloadBytes;
  const message = 3 + varintLength(inner) + inner;
  const header = new Uint8Array(grpcPrefixBytes + message - payloadBytes);
  writeUint32(header, 1, message);
  header[5] = dataTags.type;
  header[6] = PacketType.DATA;
  header[7] = dataTags.data;
  let at = writeVarint(header, 8, inner);
  header[at++] = dataTags.connectId;
  at = writeVarint(header, at, id);
  header[at++] = dataTags.bytes;
  writeVarint(header, at, payloadBytes);
  return header;
}

/** Ids of 54 to 64 bits come from no agent that is known; clarity over speed. */
function bigDataHeader(id: bigint, payloadBytes: number): Uint8Array {
  const framed = framePacket(dataPacket(id, new Uint8Array(payloadBytes)));
  return framed.subarray(0, framed.length - payloadBytes);
}
