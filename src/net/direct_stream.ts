import { Code, ConnectError } from "@connectrpc/connect";
import type { Socket } from "node:net";
import { flowLimits } from "../tunnel/flow_limits.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../tunnel/packet_stream.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { dataHeader } from "../wire/data_header.ts";
import {
  helloFrame,
  linkFrame,
  linkFrameKinds,
  type LinkStatus,
  readHello,
  readStatus,
  statusFrame,
} from "../wire/link_frame.ts";
import { framePacket, type Packet } from "../wire/packet.ts";
import { PacketError } from "../wire/packet_error.ts";
import { PacketReader } from "../wire/packet_reader.ts";
import { grpcError, type StreamCounts } from "./grpc_stream.ts";
import { linger } from "./linger.ts";
import { bytesRead } from "./read_meter.ts";
import { UnderWay } from "./under_way.ts";
import { doesNotRead, maxUnsentBytes } from "./unsent_limit.ts";

/**
 * What may wait in this process for a link's socket while nobody talks over the link. As much as the socket itself asks for
 * would be one chunk of a fast client, which would then be stopped and started again for each.
 */
const bulkQueueBytes = 256 * 1024;

/** What the peer said first. */
export type Hello = (key: string) => readonly string[];

/**
 * A direct link: packets straight on one TLS connection, as the frames of link_frame.ts. Both sides begin with a hello and
 * end with a status. Reading stops behind the peer's hello until the stream is started.
 */
export class DirectStream implements PacketStream {
  readonly #socket: Socket;
  readonly #counts: StreamCounts | undefined;
  readonly #reader: PacketReader;
  readonly #hello = Promise.withResolvers<Hello>();
  #handler: PacketStreamHandler | undefined;
  /** What came behind the hello in one chunk, before the stream was started. */
  #early: (() => void)[] = [];
  #helloSeen = false;
  #peerStatus: LinkStatus | undefined;
  #failure: Error | undefined;
  #ending = false;
  #closed = false;
  #endLinger: (() => void) | undefined;
  #corked = false;
  #roundTripMs = 0;
  readonly #underWay = new UnderWay(() => performance.now());
  /** Data waits for the peer's answer to a mark. */
  #waiting = false;
  readonly #pongs: (() => void)[] = [];
  /** Payloads that follow each other on one tunnel within a turn of the event loop, which leave as one packet. */
  readonly #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #gatheredId: ConnectId = 0;

  constructor(socket: Socket, counts: StreamCounts | undefined) {
    this.#socket = socket;
    this.#counts = counts;
    // A caller that never asks for the hello must not meet its failure as an unhandled rejection.
    this.#hello.promise.catch(() => {});
    this.#reader = new PacketReader(
      {
        onData: (id, payload) => {
          if (this.#handler !== undefined) this.#handler.onData(id, payload);
          else this.#beforeStart(() => this.#handler?.onData(id, payload));
        },
        onPacket: (packet) => {
          if (this.#handler !== undefined) this.#handler.onPacket(packet);
          else this.#beforeStart(() => this.#handler?.onPacket(packet));
        },
      },
      counts?.received,
      (kind, body) => this.#onFrame(kind, body),
    );
    socket.on("data", (chunk: Uint8Array) => this.#onChunk(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error: Error) => {
      this.#failure ??= new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
    });
    socket.on("close", () => this.#onClose());
    if (socket.destroyed) this.#onClose();
  }

  /** The peer's hello; rejects when the connection ends before it. */
  get hello(): Promise<Hello> {
    return this.#hello.promise;
  }

  sendHello(metadata: Readonly<Record<string, string>>): void {
    if (this.#writable()) this.#socket.write(helloFrame(metadata));
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    for (const step of early) this.#guarded(step);
    if (this.#closed) return handler.onClose(this.#outcome());
    this.#socket.resume();
  }

  measure(onAnswer?: () => void): void {
    this.ping(() => {
      if (this.#writable()) onAnswer?.();
    });
  }

  sendPacket(packet: Packet): boolean {
    if (this.#socket.writableLength > maxUnsentBytes) this.destroy(doesNotRead());
    if (!this.#writable()) return true;
    this.#counts?.sent.packet(packet.type);
    this.#cork();
    this.#writeGathered();
    return this.#socket.write(framePacket(packet));
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (!this.#writable()) return true;
    this.#counts?.sent.bytes(payload.length);
    this.#cork();
    const joined = this.#gatheredBytes + payload.length;
    if (id !== this.#gatheredId || joined > flowLimits.maxDataBytes) this.#writeGathered();
    this.#gatheredId = id;
    this.#gathered.push(payload);
    this.#gatheredBytes += payload.length;
    if (this.#gatheredBytes >= flowLimits.maxDataBytes) this.#writeGathered();
    if (this.#underWay.sent(payload.length)) this.#mark();
    if (this.#underWay.full) {
      this.#waiting = true;
      return false;
    }
    // Only where the socket will tell of its drain.
    if (!this.#socket.writableNeedDrain) return true;
    return !this.#underWay.talking && this.#socket.writableLength < bulkQueueBytes;
  }

  talk(forMs: number): void {
    this.#underWay.talk(forMs);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket.resume();
  }

  end(error?: Error): void {
    if (this.#closed || this.#ending) return;
    this.#writeGathered();
    this.#ending = true;
    const status = error === undefined ? undefined : grpcError(error);
    this.#socket.end(statusFrame({ code: status?.code ?? 0, message: status?.rawMessage ?? "" }));
    this.#endLinger = linger(() => this.#socket.writableLength, () => this.#socket.destroy());
  }

  destroy(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Asks the peer for a sign of life; `onAnswer` is called with it, or when the connection is gone. */
  ping(onAnswer: () => void): void {
    if (!this.#writable()) return onAnswer();
    const since = performance.now();
    this.#pongs.push(() => {
      const tookMs = performance.now() - since;
      this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
      onAnswer();
    });
    this.#writeGathered();
    this.#socket.write(linkFrame(linkFrameKinds.ping, new Uint8Array(8)));
  }

  #mark(): void {
    const marked = this.#underWay.mark();
    this.ping(() => {
      this.#underWay.answered(marked, this.#roundTripMs);
      if (!this.#waiting) return;
      // The bound became smaller meanwhile, and what has been sent since the last mark is above it.
      if (this.#underWay.full && !this.#underWay.marked) this.#mark();
      else if (!this.#socket.writableNeedDrain) this.#onDrain();
    });
  }

  #onDrain(): void {
    if (this.#closed || this.#waiting && this.#underWay.full) return;
    this.#waiting = false;
    this.#handler?.onDrain();
  }

  /** One write to the system for all packets of a turn of the event loop. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    queueMicrotask(this.#uncork);
  }

  /** Writes the packet of the payloads that were gathered. */
  #writeGathered(): void {
    if (this.#gatheredBytes === 0) return;
    if (this.#writable()) {
      this.#counts?.sent.data();
      this.#socket.write(dataHeader(this.#gatheredId, this.#gatheredBytes));
      for (const payload of this.#gathered) this.#socket.write(payload);
    }
    this.#gathered.length = 0;
    this.#gatheredBytes = 0;
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#writeGathered();
    this.#socket.uncork();
  };

  #writable(): boolean {
    return !this.#closed && !this.#ending && !this.#socket.destroyed;
  }

  #onFrame(kind: number, body: Uint8Array): void {
    if (!this.#helloSeen && kind !== linkFrameKinds.hello && kind !== linkFrameKinds.status) {
      throw new PacketError("malformed", `link begins with a frame of kind ${kind}, not with a hello`);
    }
    switch (kind) {
      case linkFrameKinds.hello:
        if (this.#helloSeen) throw new PacketError("malformed", "link says hello twice");
        this.#helloSeen = true;
        if (this.#handler === undefined) this.#socket.pause();
        this.#hello.resolve(readHello(body));
        break;
      case linkFrameKinds.status:
        this.#peerStatus = readStatus(body);
        break;
      case linkFrameKinds.ping:
        if (this.#socket.writableLength > maxUnsentBytes) return this.destroy(doesNotRead());
        if (this.#writable()) this.#socket.write(linkFrame(linkFrameKinds.pong, body));
        break;
      case linkFrameKinds.pong:
        this.#pongs.shift()?.();
        break;
        // Frames of later versions are skipped.
    }
  }

  #beforeStart(step: () => void): void {
    if (!this.#helloSeen) throw new PacketError("malformed", "link begins with a packet, not with a hello");
    // A peer that was refused may still send: nobody will ever start this stream, so that nothing is kept for it.
    if (!this.#ending) this.#early.push(step);
  }

  #onChunk(chunk: Uint8Array): void {
    bytesRead(chunk.length);
    if (this.#failure !== undefined) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Runs a step that looks at what the peer sent. */
  #guarded(step: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      step();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** A peer that breaks the framing is told so and loses its link. */
  #broken(error: unknown): void {
    if (!(error instanceof PacketError)) throw error;
    this.#failure = grpcError(error);
    this.end(error);
    this.#socket.resume();
  }

  #onEnd(): void {
    const step = () => {
      this.#guarded(() => {
        this.#reader.end();
        // Without a status the connection was cut, and the close that follows tells so.
        if (this.#peerStatus === undefined) this.#socket.destroy();
        else this.#handler?.onEnd();
      });
    };
    if (this.#handler !== undefined) step();
    else if (this.#helloSeen) this.#early.push(step);
    else this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endLinger?.();
    const end = this.#outcome();
    this.#hello.reject(
      end.kind === "failed" ? end.error : new ConnectError("link ended without a hello", Code.Internal),
    );
    for (const onAnswer of this.#pongs.splice(0)) onAnswer();
    this.#handler?.onClose(end);
  }

  #outcome(): StreamEnd {
    const status = this.#peerStatus;
    if (status !== undefined && status.code !== 0) {
      return { kind: "failed", error: new ConnectError(status.message, status.code) };
    }
    if (this.#failure !== undefined) return { kind: "failed", error: this.#failure };
    if (status !== undefined) return { kind: "ended" };
    return { kind: "failed", error: new ConnectError("connection was lost", Code.Unavailable) };
  }
}
