import { H2Connection, type H2Error, type H2Handler, type H2Output } from "../../../src/h2/connection.ts";
import { pingFrame, settingsAck, settingsFrame } from "../../../src/h2/frames/control_frames.ts";
import {
  clientPreface,
  frameFlag,
  frameHeaderBytes,
  frameType,
  writeFrameHeader,
} from "../../../src/h2/frames/frame.ts";
import { HeaderDecoder } from "../../../src/h2/hpack/header_decoder.ts";
import { encodeHeaders } from "../../../src/h2/hpack/header_encoder.ts";
import type { HeaderField } from "../../../src/h2/hpack/header_table.ts";
import type { RequestHeaders } from "../../../src/h2/request_headers.ts";
import type { H2Stream, H2StreamEnd, H2StreamHandler } from "../../../src/h2/stream.ts";
import type { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import { readUint32 } from "../../../src/wire/bytes.ts";

/** Joins byte arrays. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Any frame, sound or not. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array | string = ""): Uint8Array {
  const bytes = typeof payload === "string" ? Uint8Array.fromHex(payload) : payload;
  const header = new Uint8Array(frameHeaderBytes);
  writeFrameHeader(header, 0, bytes.length, type, flags, streamId);
  return concat(header, bytes);
}

/** Headers of an ordinary packet call. */
export const callHeaders: readonly HeaderField[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/ProxyService/Proxy"],
  [":authority", "%2Ftmp%2Fproxy.sock"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];

/** A HEADERS frame with END_HEADERS. */
export function headers(streamId: number, fields: Iterable<HeaderField> = callHeaders, endStream = false): Uint8Array {
  const flags = frameFlag.endHeaders | (endStream ? frameFlag.endStream : 0);
  return frame(frameType.headers, flags, streamId, encodeHeaders(fields));
}

export function data(streamId: number, payload: Uint8Array | string, endStream = false): Uint8Array {
  return frame(frameType.data, endStream ? frameFlag.endStream : 0, streamId, payload);
}

/** A frame that the connection sent. */
export interface SentFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

/** A request as it was served: what came on its stream, and how it ended. */
export class Served implements H2StreamHandler {
  readonly stream: H2Stream;
  readonly headers: RequestHeaders;
  readonly pieces: Uint8Array[] = [];
  drains = 0;
  ended = false;
  end: H2StreamEnd | undefined;

  constructor(stream: H2Stream, headers: RequestHeaders) {
    this.stream = stream;
    this.headers = headers;
  }

  onData(bytes: Uint8Array): void {
    this.pieces.push(bytes);
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(): void {
    this.ended = true;
  }

  onClose(end: H2StreamEnd): void {
    this.end = end;
  }

  get body(): Uint8Array {
    return concat(...this.pieces);
  }
}

/** A client that says what it is told to, and the connection that serves it, without a socket between them. */
export class H2Peer implements H2Output, H2Handler {
  readonly connection: H2Connection;
  readonly served: Served[] = [];
  /** Milliseconds of the connection's clock. */
  now = 0;
  /** False: the output takes what it is given and asks to hold back. */
  takes = true;
  /** Bytes that were written so far. */
  writtenBytes = 0;
  ended = false;
  closed = false;
  error: H2Error | undefined;
  readonly #decoder = new HeaderDecoder(4096, 1 << 20);
  #scheduled = false;
  #unread: Uint8Array[] = [];
  readonly #onRequest: (request: Served) => void;

  /** @param onRequest what to do with a request; it is started and left alone by default */
  constructor(
    onRequest: (request: Served) => void = (request) => request.stream.start(request),
    limits: {
      streamWindowBytes?: number;
      connectionWindowBytes?: number;
      maxConcurrentStreams?: number;
      growth?: GrowthBudget;
    } = {},
  ) {
    this.#onRequest = onRequest;
    this.connection = new H2Connection(this, this, {
      streamWindowBytes: limits.streamWindowBytes ?? 65_535,
      connectionWindowBytes: limits.connectionWindowBytes ?? 1 << 20,
      maxConcurrentStreams: limits.maxConcurrentStreams ?? 100,
      now: () => this.now,
      ...(limits.growth === undefined ? {} : { growth: limits.growth }),
    });
    this.settle();
  }

  /** A peer that has begun: preface and SETTINGS are exchanged, and what was sent for them is read. */
  static begun(...args: ConstructorParameters<typeof H2Peer>): H2Peer {
    const peer = new H2Peer(...args);
    peer.push(clientPreface, settingsFrame([]), settingsAck());
    peer.sent();
    return peer;
  }

  push(...bytes: readonly Uint8Array[]): void {
    for (let left: Uint8Array | undefined = concat(...bytes); left !== undefined;) left = this.connection.push(left);
    this.settle();
  }

  /** Lets the connection write what it has scheduled. */
  settle(): void {
    while (this.#scheduled) {
      this.#scheduled = false;
      this.connection.flush();
    }
  }

  /** The frames that were sent since the last call. */
  sent(): SentFrame[] {
    const bytes = concat(...this.#unread);
    this.#unread = [];
    const frames: SentFrame[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = readUint32(bytes, at) >>> 8;
      const behind = at + frameHeaderBytes + length;
      if (behind > bytes.length) throw new Error("a frame was sent that is cut off");
      frames.push({
        type: bytes[at + 3] ?? 0,
        flags: bytes[at + 4] ?? 0,
        streamId: readUint32(bytes, at + 5),
        payload: bytes.slice(at + frameHeaderBytes, behind),
      });
      at = behind;
    }
    return frames;
  }

  /** Frames of one type among those sent since the last call; the others are dropped. */
  sentOf(type: number): SentFrame[] {
    return this.sent().filter((one) => one.type === type);
  }

  decode(block: Uint8Array): Record<string, string> {
    return Object.fromEntries(this.#decoder.decode(block).fields);
  }

  /** A request that the connection was handed. */
  request(at = 0): Served {
    const request = this.served[at];
    if (request === undefined) throw new Error(`there is no request ${at}`);
    return request;
  }

  /** Whether the connection still answers. */
  get lives(): boolean {
    if (this.closed) return false;
    this.sent();
    this.push(pingFrame(false, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
    return this.sent().some(({ type, flags }) => type === frameType.ping && flags === frameFlag.ack);
  }

  // ---- H2Output ----

  write(pieces: readonly Uint8Array[]): boolean {
    for (const piece of pieces) {
      if (piece.length === 0) throw new Error("an empty piece was written");
      this.writtenBytes += piece.length;
      this.#unread.push(piece);
    }
    return this.takes;
  }

  schedule(): void {
    this.#scheduled = true;
  }

  end(): void {
    this.ended = true;
  }

  // ---- H2Handler ----

  onRequest(stream: H2Stream, headers: RequestHeaders): void {
    const request = new Served(stream, headers);
    this.served.push(request);
    this.#onRequest(request);
  }

  onClose(error: H2Error | undefined): void {
    if (this.closed) throw new Error("the connection's end was told twice");
    this.closed = true;
    this.error = error;
  }
}

/** The error code of the first frame of a kind that carries one: RST_STREAM or GOAWAY. */
export function codeOf(frames: readonly SentFrame[], type: number): number | undefined {
  const found = frames.find((one) => one.type === type);
  if (found === undefined) return undefined;
  return readUint32(found.payload, type === frameType.goaway ? 4 : 0);
}
