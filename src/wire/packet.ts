import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Packet, PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { writeUint32 } from "./bytes.ts";
import type { ConnectId } from "./connect_id.ts";
import { grpcPrefixBytes, wireLimits } from "./limits.ts";
import { PacketError } from "./packet_error.ts";
import { encodeControlPacket } from "./control_packet.ts";
import { decodeControlPacket } from "./control_packet_decoder.ts";

export { type Packet, PacketType };

/** A dial: which network and address, and the number that pairs the answer with it. */
export interface DialTarget {
  readonly protocol: string;
  /** host:port; an IPv6 host stands in brackets. */
  readonly address: string;
  /** The trace that the dial is a part of; absent: none. */
  readonly traceparent?: string;
}

/**
 * Asks the agent to connect to a destination.
 * @param traced the agent has the feature `trace-context`
 */
export function dialRequest(
  { protocol, address, traceparent = "" }: DialTarget,
  random: bigint,
  traced = false,
): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.DIAL_REQ,
    payload: {
      case: "dialRequest",
      value: { $typeName: "DialRequest", protocol, address, random, traceparent: traced ? traceparent : "" },
    },
  };
}

/**
 * Answers a dial that succeeded.
 * @param resolved host:port that was connected to; only for peers with the `resolved-address` feature, else empty
 */
export function dialed(random: bigint, connectId: ConnectId, resolved = ""): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.DIAL_RSP,
    payload: {
      case: "dialResponse",
      value: { $typeName: "DialResponse", error: "", random, connectID: BigInt(connectId), resolved },
    },
  };
}

/** Answers a dial that failed; `error` is what the client's user reads. */
export function dialFailed(random: bigint, error: string): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.DIAL_RSP,
    payload: {
      case: "dialResponse",
      value: { $typeName: "DialResponse", random, connectID: 0n, error: errorText(error), resolved: "" },
    },
  };
}

/**
 * The error of a DIAL_RSP by which an agent that is about to exit says that it has not taken the dial: another agent may.
 * Peers compare the text.
 */
export const drainingAnswer = "agent is draining";

/** Gives a dial up whose answer has not come. */
export function closeDial(random: bigint): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.DIAL_CLS,
    payload: { case: "closeDial", value: { $typeName: "CloseDial", random } },
  };
}

/** Asks the agent to close a connection. */
export function closeRequest(connectId: ConnectId): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.CLOSE_REQ,
    payload: { case: "closeRequest", value: { $typeName: "CloseRequest", connectID: BigInt(connectId) } },
  };
}

/** Tells that a connection is closed; `error` is empty when it ended in order. */
export function closeResponse(connectId: ConnectId, error = ""): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.CLOSE_RSP,
    payload: {
      case: "closeResponse",
      value: { $typeName: "CloseResponse", connectID: BigInt(connectId), error: errorText(error) },
    },
  };
}

/** An error's text may hold what a peer sent, of any length; it must not make the packet one that the receiver refuses. */
function errorText(error: string): string {
  if (error.length <= wireLimits.maxErrorLength) return error;
  // toWellFormed: the cut may fall between the halves of a surrogate pair.
  return `${error.slice(0, wireLimits.maxErrorLength - 1).toWellFormed()}…`;
}

/** Asks the server to prefer other agents for new dials. */
export function drain(): Packet {
  return { $typeName: "Packet", type: PacketType.DRAIN, payload: { case: "drain", value: { $typeName: "Drain" } } };
}

/** Tells that this side sends no more DATA on a connection; only for peers with the `half-close` feature. */
export function closeWrite(connectId: ConnectId): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.CLOSE_WRITE,
    payload: { case: "closeWrite", value: { $typeName: "CloseWrite", connectID: BigInt(connectId) } },
  };
}

/** Returns credit for `bytes` more bytes of a connection; only for peers with the `window` feature. */
export function windowCredit(connectId: ConnectId, bytes: number): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.WINDOW,
    payload: { case: "window", value: { $typeName: "Window", connectID: BigInt(connectId), bytes: BigInt(bytes) } },
  };
}

/** Asks the peer for a PONG; only for peers with the `ping` feature. */
export function ping(): Packet {
  return { $typeName: "Packet", type: PacketType.PING, payload: { case: "ping", value: { $typeName: "Ping" } } };
}

/** Answers a PING. */
export function pong(): Packet {
  return { $typeName: "Packet", type: PacketType.PONG, payload: { case: "pong", value: { $typeName: "Pong" } } };
}

/** A DATA packet as a message, for peers that are served typed messages instead of bytes. */
export function dataPacket(connectId: ConnectId, data: Uint8Array): Packet {
  return {
    $typeName: "Packet",
    type: PacketType.DATA,
    payload: { case: "data", value: { $typeName: "Data", connectID: BigInt(connectId), data, error: "" } },
  };
}

/** A packet as one gRPC message: uncompressed prefix and protobuf. */
export function framePacket(packet: Packet): Uint8Array<ArrayBuffer> {
  const small = encodeControlPacket(packet);
  if (small !== undefined) return small;
  const message = toBinary(PacketSchema, packet);
  const framed = new Uint8Array(grpcPrefixBytes + message.length);
  writeUint32(framed, 1, message.length);
  framed.set(message, grpcPrefixBytes);
  return framed;
}

/** Decodes a gRPC message's body. Unknown fields are kept. @throws {PacketError} `malformed` */
export function decodePacket(message: Uint8Array): Packet {
  try {
    return decodeControlPacket(message) ?? fromBinary(PacketSchema, message);
  } catch (cause) {
    throw new PacketError("malformed", `message of ${message.length} bytes is not a packet`, { cause });
  }
}

/** The name of a packet's type as metrics and logs show it; unknown types share one name, so that labels stay bounded. */
export function packetTypeName(type: PacketType | number): string {
  switch (type) {
    case PacketType.DIAL_REQ:
      return "DIAL_REQ";
    case PacketType.DIAL_RSP:
      return "DIAL_RSP";
    case PacketType.CLOSE_REQ:
      return "CLOSE_REQ";
    case PacketType.CLOSE_RSP:
      return "CLOSE_RSP";
    case PacketType.DATA:
      return "DATA";
    case PacketType.DIAL_CLS:
      return "DIAL_CLS";
    case PacketType.DRAIN:
      return "DRAIN";
    case PacketType.CLOSE_WRITE:
      return "CLOSE_WRITE";
    case PacketType.WINDOW:
      return "WINDOW";
    case PacketType.PING:
      return "PING";
    case PacketType.PONG:
      return "PONG";
    default:
      return "Unknown";
  }
}
