import { Code, ConnectError } from "@connectrpc/connect";
import { constants } from "node:http2";
import type {
  ClientHttp2Stream,
  Http2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  ServerHttp2Stream,
} from "node:http2";
import { fault, type Owner } from "../../faults/fault.ts";
import { guard, owned } from "../../faults/owned.ts";
import { ByteQueue } from "../../streams/byte_queue.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import type { ConnectId } from "../../wire/connect_id.ts";
import { dataHeader } from "../../wire/data_header.ts";
import { framePacket, type Packet } from "../../wire/packet.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { PacketError } from "../../wire/packet_error.ts";
import { PacketReader } from "../../wire/packet_reader.ts";
import { grpcError, statusError, statusTrailers } from "../call/grpc_status.ts";
import { linger } from "../tcp/linger.ts";
import { bytesRead } from "../../runtime/memory/read_meter.ts";
import { doesNotRead, maxUnsentBytes } from "../../wire/limits.ts";

/** The gRPC code for an answer that is HTTP but not gRPC ("HTTP to gRPC Status Code Mapping" of the gRPC documents). */
const httpStatusCodes: Readonly<Record<number, Code>> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  429: Code.Unavailable,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

/**
 * Packets over one gRPC stream of node:http2. The halves that differ, how a stream begins and what its end says, are in
 * {@link ServerGrpcStream} and {@link ClientGrpcStream}.
 */
abstract class GrpcStream implements PacketStream, Owner {
  readonly place = "stream";
  protected readonly stream: Http2Stream & (ServerHttp2Stream | ClientHttp2Stream);
  readonly #counts: StreamCounts | undefined;
  readonly #clock: Clock;
  #handler: PacketStreamHandler | undefined;
  #closed = false;
  #roundTripMs = 0;
  #endLinger: (() => void) | undefined;
  /** Packets other than DATA that wait for a full stream, side by side: each would cost it hundreds of bytes. */
  #held: ByteQueue | undefined;
  /** The first thing that went wrong on this side; it decides what the owner is given as the reason. */
  protected failure: Error | undefined;

  constructor(
    stream: Http2Stream & (ServerHttp2Stream | ClientHttp2Stream),
    counts: StreamCounts | undefined,
    clock: Clock,
  ) {
    this.stream = stream;
    this.#counts = counts;
    this.#clock = clock;
    stream.on(
      "error",
      owned(this, (error: Error) => {
        this.failure ??= error;
      }),
    );
    stream.on("close", owned(this, () => this.#onClose()));
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  measure(onAnswer?: () => void): void {
    const since = this.#clock.now();
    const { session } = this.stream;
    if (session === undefined || session.destroyed) return;
    session.ping(owned(this, (error) => {
      // A session that ends reports that for each of its pings.
      if (error) return;
      const tookMs = this.#clock.now() - since;
      this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
      onAnswer?.();
    }));
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
    const reader = new PacketReader({
      // After an error or a close the bytes behind it are not looked at.
      onData: (id, payload) => handler.onData(id, payload),
      onPacket: (packet) => handler.onPacket(packet),
    }, this.#counts?.received);
    const guarded = (step: () => void) => {
      if (this.failure !== undefined) return;
      try {
        step();
      } catch (error) {
        if (!(error instanceof PacketError)) return fault(this, error);
        this.failure = error;
        this.refuse(error);
      }
    };
    this.stream.on(
      "data",
      owned(this, (chunk: Uint8Array) => {
        bytesRead(chunk.length);
        guarded(() => reader.push(chunk));
      }),
    );
    this.stream.on(
      "drain",
      owned(this, () => {
        this.#writeHeld();
        if (!this.stream.writableNeedDrain) handler.onDrain();
      }),
    );
    this.stream.on(
      "end",
      owned(this, () => {
        // The runtime reports an end on a lost connection too; the close that follows reports that.
        if (this.stream.aborted || this.stream.destroyed) return;
        guarded(() => {
          reader.end();
          handler.onEnd();
        });
      }),
    );
    if (this.#closed) guard(this, () => handler.onClose(this.outcome()));
  }

  /** {@link Owner}: a handler that throws loses this stream, not its connection. */
  faulted(error: Error): void {
    this.failure ??= error;
    if (!this.#closed) this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  sendPacket(packet: Packet): boolean {
    if (this.#unsentBytes > maxUnsentBytes) this.destroy(doesNotRead());
    this.#counts?.sent.packet(packet.type);
    if (!this.#writable()) return true;
    if (this.#held === undefined && !this.stream.writableNeedDrain) return this.stream.write(framePacket(packet));
    this.#held ??= new ByteQueue();
    this.#held.push(framePacket(packet));
    return false;
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (!this.#writable()) return true;
    this.#writeHeld();
    this.#counts?.sent.data();
    this.#counts?.sent.bytes(payload.length);
    this.stream.cork();
    this.stream.write(dataHeader(id, payload.length));
    const more = this.stream.write(payload);
    this.stream.uncork();
    return more;
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    if (!this.#closed) this.stream.resume();
  }

  end(error?: Error): void {
    if (this.#closed || this.stream.destroyed || this.stream.writableEnded) return;
    this.#writeHeld();
    this.finish(error);
    const drop = () => this.stream.close(constants.NGHTTP2_CANCEL);
    this.#endLinger = linger(() => this.stream.writableLength, drop, this.#clock);
  }

  destroy(error: Error): void {
    this.failure ??= error;
    if (!this.#closed) this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Ends the sending side in the way of this side of an RPC. */
  protected abstract finish(error?: Error): void;
  /** Ends the stream because the peer broke the protocol. */
  protected abstract refuse(error: PacketError): void;
  /** What the stream's end means; called once it is closed. */
  protected abstract outcome(): StreamEnd;

  /** Bytes that the session has not taken yet. */
  get #unsentBytes(): number {
    return this.stream.writableLength + (this.#held?.length ?? 0);
  }

  #writeHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    if (!this.#writable()) return;
    for (let piece = held.shift(); piece !== undefined; piece = held.shift()) this.stream.write(piece);
  }

  #writable(): boolean {
    return !this.#closed && !this.stream.destroyed && !this.stream.writableEnded;
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endLinger?.();
    this.#handler?.onClose(this.outcome());
  }
}

/** The error for a stream that was cut: what went wrong on this side, the peer's reset, or a lost connection. */
function lost(stream: Http2Stream, failure: Error | undefined): ConnectError {
  if (failure instanceof ConnectError) return failure;
  if (failure !== undefined) return new ConnectError(failure.message, Code.Unavailable, undefined, undefined, failure);
  const code = stream.rstCode ?? 0;
  if (code === constants.NGHTTP2_CANCEL) return new ConnectError("stream was canceled", Code.Canceled);
  return new ConnectError(`connection was lost (HTTP/2 code ${code})`, Code.Unavailable);
}

/** The serving side: headers are sent at once, the status goes out as trailers. */
export class ServerGrpcStream extends GrpcStream {
  #status: ConnectError | undefined;
  #peerEnded = false;

  /** Answers the call: response headers with `metadata` leave now, before any packet. */
  constructor(
    stream: ServerHttp2Stream,
    metadata: Readonly<Record<string, string>>,
    counts: StreamCounts | undefined,
    clock: Clock,
  ) {
    super(stream, counts, clock);
    stream.on(
      "end",
      owned(this, () => {
        this.#peerEnded = !stream.aborted;
      }),
    );
    stream.on("wantTrailers", owned(this, () => stream.sendTrailers(statusTrailers(this.#status))));
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...metadata }, { waitForTrailers: true });
  }

  protected override finish(error?: Error): void {
    this.#status = error === undefined ? undefined : grpcError(error);
    this.stream.end();
  }

  protected override refuse(error: PacketError): void {
    this.end(error);
    // What the peer still sends is read and dropped, so that it sees the status and no reset.
    this.stream.resume();
  }

  protected override outcome(): StreamEnd {
    if (this.failure !== undefined) return { kind: "failed", error: grpcError(this.failure) };
    const inOrder = this.#peerEnded || this.stream.writableFinished;
    return inOrder ? { kind: "ended" } : { kind: "failed", error: lost(this.stream, undefined) };
  }
}

type ResponseHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** The calling side: the server's trailers say how the call ended. */
export class ClientGrpcStream extends GrpcStream {
  /** Response metadata, once the server has sent it; rejects with the call's error when the call ends before that. */
  readonly metadata: Promise<(key: string) => readonly string[]>;
  #trailers: Headers | undefined;

  constructor(stream: ClientHttp2Stream, counts: StreamCounts | undefined, clock: Clock) {
    super(stream, counts, clock);
    const answered = Promise.withResolvers<(key: string) => readonly string[]>();
    this.metadata = answered.promise;
    // A caller that never asks for the metadata must not meet its failure as an unhandled rejection.
    answered.promise.catch(() => {});
    stream.on(
      "response",
      owned(this, (headers: ResponseHeaders, _: number, raw: readonly string[]) => {
        if (headers["grpc-status"] !== undefined) {
          // A refusal comes as headers alone. Not every server resets the caller's half, which is of no use any more.
          this.#trailers = toHeaders(headers);
          stream.end();
        } else if (headers[":status"] !== 200) {
          const status = headers[":status"] ?? 0;
          this.destroy(
            new ConnectError(`HTTP status ${status}, expected 200`, httpStatusCodes[status] ?? Code.Unknown),
          );
        } else {
          answered.resolve((key) => valuesOf(raw, key));
        }
      }),
    );
    stream.on(
      "trailers",
      owned(this, (headers: IncomingHttpHeaders) => {
        this.#trailers = toHeaders(headers);
      }),
    );
    stream.on(
      "close",
      owned(this, () => {
        const end = this.outcome();
        answered.reject(
          end.kind === "failed" ? end.error : new ConnectError("call ended without headers", Code.Internal),
        );
      }),
    );
  }

  protected override finish(): void {
    this.stream.end();
  }

  /** A caller has no status to send, only the reset. */
  protected override refuse(error: PacketError): void {
    this.destroy(error);
  }

  protected override outcome(): StreamEnd {
    const said = this.#trailers === undefined ? undefined : statusError(this.#trailers);
    if (said !== undefined) return { kind: "failed", error: said };
    if (this.#trailers !== undefined) return { kind: "ended" };
    return { kind: "failed", error: lost(this.stream, this.failure) };
  }
}

/**
 * All values of a header.
 * @param raw names and values in turn, as they came: HTTP/2 gives repeated ones joined into one text otherwise
 */
export function valuesOf(raw: readonly string[], key: string): readonly string[] {
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1] === key);
}

function toHeaders(headers: IncomingHttpHeaders): Headers {
  const result = new Headers();
  for (const [key, value] of Object.entries(headers)) {
    if (key.startsWith(":") || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) result.append(key, String(one));
  }
  return result;
}
