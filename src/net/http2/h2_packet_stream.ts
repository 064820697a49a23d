import { Code, ConnectError } from "@connectrpc/connect";
import { fault, type Owner } from "../../faults/fault.ts";
import { guard, owned } from "../../faults/owned.ts";
import { h2Code } from "../../h2/frames/frame.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import type { H2Stream, H2StreamEnd, H2StreamHandler } from "../../h2/stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import type { ConnectId } from "../../wire/connect_id.ts";
import { dataHeader } from "../../wire/data_header.ts";
import { framePacket, type Packet } from "../../wire/packet.ts";
import { PacketError } from "../../wire/packet_error.ts";
import { PacketReader } from "../../wire/packet_reader.ts";
import { grpcError, statusTrailers } from "../call/grpc_status.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { linger } from "../tcp/linger.ts";
import { doesNotRead, maxUnsentBytes } from "../../wire/limits.ts";

const responseHeaders: readonly HeaderField[] = [[":status", "200"], ["content-type", "application/grpc"]];

const okTrailers: readonly HeaderField[] = Object.entries(statusTrailers(undefined));

/** The serving side of a packet call over our own HTTP/2. A handler that throws loses this stream, not its connection. */
export class H2PacketStream implements PacketStream, H2StreamHandler, Owner {
  readonly place = "stream";
  readonly #stream: H2Stream;
  readonly #counts: StreamCounts | undefined;
  readonly #clock: Clock;
  #handler: PacketStreamHandler | undefined;
  #reader: PacketReader | undefined;
  #roundTripMs = 0;
  #endLinger: (() => void) | undefined;
  /** The first thing that went wrong on this side; it decides what the owner is given as the reason. */
  #failure: Error | undefined;

  /** Answers the call: response headers with `metadata` leave now, before any packet. */
  constructor(
    stream: H2Stream,
    metadata: Readonly<Record<string, string>>,
    counts: StreamCounts | undefined,
    clock: Clock,
  ) {
    this.#stream = stream;
    this.#counts = counts;
    this.#clock = clock;
    const own = Object.entries(metadata);
    stream.respond(own.length === 0 ? responseHeaders : [...responseHeaders, ...own]);
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  measure(onAnswer?: () => void): void {
    const since = this.#clock.now();
    this.#stream.ping(owned(this, () => {
      const tookMs = this.#clock.now() - since;
      this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
      onAnswer?.();
    }));
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
    this.#reader = new PacketReader(handler, this.#counts?.received);
    this.#stream.start(this);
  }

  sendPacket(packet: Packet): boolean {
    if (this.#stream.queuedBytes > maxUnsentBytes) this.destroy(doesNotRead());
    this.#counts?.sent.packet(packet.type);
    return this.#stream.write(framePacket(packet));
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (this.#stream.closed) return true;
    this.#counts?.sent.data();
    this.#counts?.sent.bytes(payload.length);
    this.#stream.write(dataHeader(id, payload.length));
    return this.#stream.write(payload);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(error?: Error): void {
    if (this.#stream.closed || this.#endLinger !== undefined) return;
    this.#endLinger = linger(() => this.#stream.queuedBytes, () => this.#stream.reset(h2Code.cancel), this.#clock);
    this.#stream.end(error === undefined ? okTrailers : Object.entries(statusTrailers(grpcError(error))));
  }

  destroy(error: Error): void {
    this.#failure ??= error;
    this.#stream.reset(h2Code.cancel);
  }

  /** {@link Owner}. */
  faulted(error: Error): void {
    this.#failure ??= error;
    this.#stream.reset(h2Code.internalError);
  }

  // ---- H2StreamHandler ----

  onData(bytes: Uint8Array): void {
    // After an error the bytes behind it are not looked at.
    if (this.#failure !== undefined) return;
    try {
      this.#reader?.push(bytes);
    } catch (error) {
      this.#refuse(error);
    }
  }

  onDrain(): void {
    guard(this, () => this.#handler?.onDrain());
  }

  onEnd(): void {
    if (this.#failure !== undefined) return;
    try {
      this.#reader?.end();
      this.#handler?.onEnd();
    } catch (error) {
      this.#refuse(error);
    }
  }

  onClose(end: H2StreamEnd): void {
    this.#endLinger?.();
    guard(this, () => this.#handler?.onClose(this.#outcome(end)));
  }

  #refuse(error: unknown): void {
    if (!(error instanceof PacketError)) return fault(this, error);
    this.#failure = error;
    this.end(error);
    this.#stream.resume();
  }

  #outcome(end: H2StreamEnd): StreamEnd {
    if (this.#failure !== undefined) return { kind: "failed", error: grpcError(this.#failure) };
    // One side had said all that it wanted to, so that the rest of the stream adds nothing.
    if (end.kind === "ended" || this.#stream.remoteEnded || this.#stream.localEnded) return { kind: "ended" };
    return { kind: "failed", error: lostError(end) };
  }
}

/** The error for a stream that was cut: the peer's reset, or a lost connection. */
export function lostError(end: Exclude<H2StreamEnd, { kind: "ended" }>): ConnectError {
  if (end.kind === "lost") return new ConnectError(`connection was lost: ${end.message}`, Code.Unavailable);
  if (end.code === h2Code.cancel) return new ConnectError("stream was canceled", Code.Canceled);
  return new ConnectError(`stream was reset (HTTP/2 code ${end.code})`, Code.Unavailable);
}
