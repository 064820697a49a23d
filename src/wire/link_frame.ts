import { writeUint32 } from "./bytes.ts";
import { grpcPrefixBytes } from "./limits.ts";
import { PacketError } from "./packet_error.ts";

/** The ALPN name of the direct link: packets straight on TLS. */
export const linkProtocol = "konnectivity-link/1";

/**
 * Kinds of the frames of a direct link. A frame is a kind (one byte), the length of its body (four bytes, big-endian) and
 * the body, so that a packet's frame is byte for byte a gRPC message.
 * - `packet`: one packet
 * - `hello`: the first frame each way: metadata as a URL query
 * - `status`: the last frame each way: `code` (a gRPC code's number) and `message` as a URL query
 * - `ping`, `pong`: eight bytes that come back
 */
export const linkFrameKinds = { packet: 0, hello: 1, status: 2, ping: 3, pong: 4 } as const;

/**
 * Longest body of a frame that is no packet, in bytes. An agent's identifiers travel in its hello, up to what HTTP/2 would
 * carry of them (`h2/limits.ts`), in a query of its own.
 */
export const maxLinkFrameBytes = 384 * 1024;

/** How an end of a direct link ended: a gRPC code's number, 0 for in order. */
export interface LinkStatus {
  readonly code: number;
  readonly message: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A whole frame. */
export function linkFrame(kind: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(grpcPrefixBytes + body.length);
  frame[0] = kind;
  writeUint32(frame, 1, body.length);
  frame.set(body, grpcPrefixBytes);
  return frame;
}

/** Says hello. */
export function helloFrame(metadata: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  return linkFrame(linkFrameKinds.hello, encoder.encode(new URLSearchParams(metadata).toString()));
}

/** All values of the metadata in a hello. @throws {PacketError} when it is not UTF-8 */
export function readHello(body: Uint8Array): (key: string) => readonly string[] {
  const query = new URLSearchParams(decode(body));
  return (key) => query.getAll(key);
}

/** Says how this side ends. */
export function statusFrame(status: LinkStatus): Uint8Array<ArrayBuffer> {
  const query = new URLSearchParams({ code: String(status.code), message: status.message });
  return linkFrame(linkFrameKinds.status, encoder.encode(query.toString()));
}

/** Reads a status. @throws {PacketError} when it holds no code */
export function readStatus(body: Uint8Array): LinkStatus {
  const query = new URLSearchParams(decode(body));
  const code = query.get("code");
  if (code === null || !/^\d{1,2}$/.test(code)) throw new PacketError("malformed", "status frame without a code");
  return { code: Number(code), message: query.get("message") ?? "" };
}

function decode(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch (cause) {
    throw new PacketError("malformed", "frame is not UTF-8", { cause });
  }
}
