import { Code, ConnectError } from "@connectrpc/connect";
import type { Socket } from "node:net";
import { fault } from "../../faults/fault.ts";
import { guard, owned } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import type { ConnectId } from "../../wire/connect_id.ts";
import {
  helloFrame,
  linkFrame,
  linkFrameKinds,
  type LinkStatus,
  readHello,
  readStatus,
  statusFrame,
} from "../../wire/link_frame.ts";
import { framePacket, type Packet } from "../../wire/packet.ts";
import { PacketError } from "../../wire/packet_error.ts";
import { PacketReader } from "../../wire/packet_reader.ts";
import { grpcError } from "../call/grpc_status.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { linger } from "../tcp/linger.ts";
import { InFlightLimiter } from "./in_flight.ts";
import { type ChunkSink, LinkChunks } from "./link_chunks.ts";
import { LinkWriter } from "./link_writer.ts";
import { doesNotRead, maxUnsentBytes } from "../../wire/limits.ts";

/**
 * What may wait in this process for a link's socket while no tunnel is interactive. As much as the socket itself asks for
 * would be one chunk of a fast client, which would then be stopped and started again for each.
 */
const bulkQueueBytes = 256 * 1024;

/** What the peer said first. */
export type Hello = (key: string) => readonly string[];

/** This side of a link, which never goes back: its status was written (`ending`); the owner knows of the end (`closed`). */
type Life = "open" | "ending" | "closed";

/**
 * What the peer has said of the link, which never goes back: nothing; its hello; its status instead of a hello (`refused`) or
 * behind it (`ended`).
 */
type PeerLife = "unheard" | "greeted" | "refused" | "ended";

/**
 * A direct link: packets straight on one TLS connection, as the frames of link_frame.ts. Both sides begin with a hello and
 * end with a status. Reading stops behind the peer's hello until the stream is started.
 */
export class DirectStream implements PacketStream, ChunkSink {
  readonly place = "link";
  readonly direct = true;
  readonly #socket: Socket;
  readonly #counts: StreamCounts | undefined;
  readonly #reader: PacketReader;
  readonly #chunks: LinkChunks;
  readonly #writer: LinkWriter;
  readonly #hello = Promise.withResolvers<Hello>();
  #handler: PacketStreamHandler | undefined;
  /** What came behind the hello in one chunk, before the stream was started. */
  #early: (() => void)[] = [];
  #life: Life = "open";
  #peer: PeerLife = "unheard";
  #peerStatus: LinkStatus | undefined;
  #failure: Error | undefined;
  #endLinger: (() => void) | undefined;
  #roundTripMs = 0;
  readonly #clock: Clock;
  readonly #inFlight: InFlightLimiter;
  /** Data waits for the peer's answer to a probe. */
  #waiting = false;
  readonly #pongs: (() => void)[] = [];

  constructor(socket: Socket, counts: StreamCounts | undefined, clock: Clock) {
    this.#socket = socket;
    this.#counts = counts;
    this.#clock = clock;
    this.#inFlight = new InFlightLimiter(clock.now);
    this.#writer = new LinkWriter(socket, counts?.sent, this);
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
    this.#chunks = new LinkChunks(socket, this);
    socket.on("drain", owned(this, () => this.#onDrain()));
    socket.on("end", owned(this, () => this.#onEnd()));
    socket.on(
      "error",
      owned(this, (error: Error) => {
        this.#failure ??= new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
      }),
    );
    socket.on("close", owned(this, () => this.#onClose()));
    if (socket.destroyed) this.#onClose();
  }

  /** The peer's hello; rejects when the connection ends before it. */
  get hello(): Promise<Hello> {
    return this.#hello.promise;
  }

  /** The peer has said something: its hello, or why there is none. */
  get answered(): boolean {
    return this.#peer !== "unheard";
  }

  sendHello(metadata: Readonly<Record<string, string>>): void {
    if (this.#writer.writable) this.#socket.write(helloFrame(metadata));
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
    this.#chunks.accept();
    const early = this.#early;
    this.#early = [];
    for (const step of early) this.#guarded(step);
    if (this.#life === "closed") return guard(this, () => handler.onClose(this.#outcome()));
    this.#socket.resume();
  }

  /** {@link Owner}: a handler that throws loses its link. */
  faulted(error: Error): void {
    this.destroy(error);
  }

  measure(onAnswer?: () => void): void {
    this.ping(() => {
      if (this.#writer.writable) onAnswer?.();
    });
  }

  sendPacket(packet: Packet): boolean {
    if (this.#writer.unsentBytes > maxUnsentBytes) this.destroy(doesNotRead());
    if (!this.#writer.writable) return true;
    this.#counts?.sent.packet(packet.type);
    this.#writer.cork();
    return this.#writer.frame(framePacket(packet));
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (!this.#writer.writable) return true;
    this.#counts?.sent.bytes(payload.length);
    this.#writer.data(id, payload);
    if (this.#inFlight.sent(payload.length)) this.#probe();
    if (this.#inFlight.full) {
      this.#waiting = true;
      return false;
    }
    // Only where the socket will report its drain.
    if (!this.#socket.writableNeedDrain) return true;
    return !this.#inFlight.interactive && this.#socket.writableLength < bulkQueueBytes;
  }

  interactive(forMs: number): void {
    // However far the peer is, the next small payload may be the answer to this one.
    this.#inFlight.favourInteractive(forMs + 2 * this.#roundTripMs);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#life !== "closed") this.#socket.resume();
  }

  end(error?: Error): void {
    if (!this.#become("ending")) return;
    const status = error === undefined ? undefined : grpcError(error);
    this.#writer.end(statusFrame({ code: status?.code ?? 0, message: status?.rawMessage ?? "" }));
    this.#endLinger = linger(() => this.#socket.writableLength, () => this.#socket.destroy(), this.#clock);
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
    if (!this.#writer.writable) return onAnswer();
    const since = this.#clock.now();
    this.#pongs.push(() => {
      const tookMs = this.#clock.now() - since;
      this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
      onAnswer();
    });
    this.#writer.frame(linkFrame(linkFrameKinds.ping, new Uint8Array(8)));
  }

  #probe(): void {
    const probed = this.#inFlight.probe();
    const since = this.#clock.now();
    this.ping(() => {
      this.#inFlight.answered(probed, this.#roundTripMs, this.#clock.now() - since);
      if (!this.#waiting) return;
      // The bound became smaller meanwhile, and what has been sent since the last probe is above it.
      if (this.#inFlight.full && !this.#inFlight.probing) this.#probe();
      else if (!this.#socket.writableNeedDrain) this.#onDrain();
    });
  }

  #onDrain(): void {
    if (!this.#writer.writeHeld()) return;
    if (this.#life === "closed" || this.#waiting && this.#inFlight.full) return;
    this.#waiting = false;
    this.#handler?.onDrain();
  }

  #onFrame(kind: number, body: Uint8Array): void {
    switch (kind) {
      case linkFrameKinds.hello:
        this.#hear("greeted");
        if (this.#handler === undefined) this.#socket.pause();
        return this.#hello.resolve(readHello(body));
      case linkFrameKinds.status:
        this.#hear(this.#peer === "unheard" ? "refused" : "ended");
        this.#peerStatus = readStatus(body);
        return;
    }
    if (this.#peer === "unheard") {
      throw new PacketError("malformed", `link begins with a frame of kind ${kind}, not with a hello`);
    }
    if (this.#peer !== "greeted") throw new PacketError("malformed", "link goes on behind its status");
    // Frames of later versions are skipped.
    if (kind === linkFrameKinds.pong) this.#pongs.shift()?.();
    else if (kind === linkFrameKinds.ping) this.#answerPing(body);
  }

  /** The peer says hello, or its status. @throws {PacketError} where it said more than that already */
  #hear(peer: "greeted" | "refused" | "ended"): void {
    if (this.#peer === "refused" || this.#peer === "ended") {
      throw new PacketError("malformed", "link goes on behind its status");
    }
    if (this.#peer === peer) throw new PacketError("malformed", "link says hello twice");
    this.#peer = peer;
  }

  #answerPing(body: Uint8Array): void {
    if (this.#writer.unsentBytes > maxUnsentBytes) return this.destroy(doesNotRead());
    if (this.#writer.writable) this.#writer.frameAhead(linkFrame(linkFrameKinds.pong, body));
  }

  #beforeStart(step: () => void): void {
    if (this.#peer === "unheard" || this.#peer === "refused") {
      throw new PacketError("malformed", "link begins with a packet, not with a hello");
    }
    // A peer that was refused may still send: nobody will ever start this stream, so that nothing is kept for it.
    if (this.#life === "open") this.#early.push(step);
  }

  // ---- ChunkSink ----

  get broken(): boolean {
    return this.#failure !== undefined;
  }

  onBytes(bytes: Uint8Array): void {
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#refuse(error);
    }
  }

  // ---- own ----

  /** Runs a step that looks at what the peer sent. */
  #guarded(step: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      step();
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** A peer that breaks the framing gets the reason and loses its link. */
  #refuse(error: unknown): void {
    if (!(error instanceof PacketError)) return fault(this, error);
    this.#failure = grpcError(error);
    this.end(error);
    this.#socket.resume();
  }

  #onEnd(): void {
    this.#chunks.finish();
    const step = () => {
      this.#guarded(() => {
        this.#reader.end();
        // Without a status the connection was cut, and the close that follows says so.
        if (this.#peerStatus === undefined) this.#socket.destroy();
        else this.#handler?.onEnd();
      });
    };
    if (this.#handler !== undefined) step();
    else if (this.#peer === "greeted" || this.#peer === "ended") this.#early.push(step);
    else this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#life === "closed") return;
    this.#chunks.finish();
    this.#become("closed");
    this.#endLinger?.();
    const end = this.#outcome();
    if (end.kind === "failed") this.#hello.reject(end.error);
    // What has said hello and its status has ended in order: no error is made for nobody.
    else if (this.#peer !== "ended") {
      this.#hello.reject(new ConnectError("link ended without a hello", Code.Internal));
    }
    for (const onAnswer of this.#pongs.splice(0)) guard(this, onAnswer);
    this.#handler?.onClose(end);
  }

  /** @returns false where this side is as far already, or further */
  #become(life: "ending" | "closed"): boolean {
    if (this.#life === "closed" || this.#life === life) return false;
    this.#life = life;
    return true;
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
