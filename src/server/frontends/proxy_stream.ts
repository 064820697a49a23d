import { getLogger } from "@logtape/logtape";
import type { Owner } from "../../faults/fault.ts";
import type { Channel } from "../../mux/channel.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ByteStream, ByteStreamHandler } from "../../streams/byte_stream.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import { pipe } from "../../streams/pipe.ts";
import { type ConnectId, connectId } from "../../wire/connect_id.ts";
import { wireLimits } from "../../wire/limits.ts";
import type { Feature } from "../../wire/metadata.ts";
import {
  closeResponse,
  closeWrite,
  dialed,
  dialFailed,
  type DialTarget,
  type Packet,
  PacketType,
} from "../../wire/packet.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { BackendPool } from "../backend_pool.ts";
import type { DialFailure } from "../dial_outcome.ts";
import { ServerTunnel } from "../tunnel.ts";
import type { TunnelClient } from "../tunnel_client.ts";
import { EarlyData } from "./early_data.ts";

const log = getLogger(["server", "grpc-frontend"]);

/** Packets of a client that are not of its tunnel and are answered; with one more its stream ends. */
const maxStrays = 16;

/** What a client stream needs beyond its packets. */
export interface ProxyStreamOptions {
  readonly pool: BackendPool;
  readonly clock: Clock;
  /** See {@link TunnelClient}. */
  readonly traceparent: string | undefined;
  readonly onGone: (end: StreamEnd) => void;
}

/**
 * Where a client's stream stands:
 * - `open`: packets are taken
 * - `finished`: the client was notified of its tunnel's end, or asked for it; what it still sends is discarded
 * - `gone`: the stream is closed, nothing can be sent
 */
type StreamLife = "open" | "finished" | "gone";

/**
 * One client stream: at most one tunnel, dialled by the stream's first DIAL_REQ, whose bytes it makes of packets and the other
 * way round. Ids in packets are checked against that tunnel, so that a client reaches no other client's connection.
 */
export class ProxyStream implements PacketStreamHandler, TunnelClient, ByteStream, Owner {
  readonly place = "stream";
  readonly peer: PeerIdentity;
  readonly frontend = "grpc";
  readonly halfCloses: boolean;
  readonly traceparent: string | undefined;
  readonly #stream: PacketStream;
  readonly #options: ProxyStreamOptions;
  readonly #holdsEarlyData: boolean;
  #tunnel: ServerTunnel | undefined;
  /** The client's own number for its dial. */
  #random = 0n;
  /** The agent's number for the connection; 0 until it is open. */
  #connectId: ConnectId = 0;
  /** Takes what the client sends. */
  #handler: ByteStreamHandler | undefined;
  #life: StreamLife = "open";
  /** Absent for a client that takes data at once. */
  #early: EarlyData | undefined;
  #paused = false;
  #strays = 0;

  constructor(
    stream: PacketStream,
    peer: PeerIdentity,
    features: ReadonlySet<Feature>,
    options: ProxyStreamOptions,
  ) {
    this.peer = peer;
    this.#stream = stream;
    this.#options = options;
    this.halfCloses = features.has("half-close");
    this.traceparent = options.traceparent;
    this.#holdsEarlyData = !features.has("early-data");
  }

  /** Reading from the client is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Begins to read the client. */
  serve(): void {
    this.#stream.start(this);
  }

  /** {@link Owner}: the stream ends, and its tunnel with it. */
  faulted(error: Error): void {
    this.#stream.destroy(error);
  }

  // ---- from the client ----

  onData(id: ConnectId, payload: Uint8Array): void {
    if (this.#life !== "open") return;
    if (this.#tunnel === undefined) return this.#finish(closeResponse(id, "backend not initialized"));
    if (id === 0) return log.debug("ignored DATA without a connection id");
    if (id !== this.#connectId) return this.#mismatch(id);
    this.#early?.clientSpoke();
    this.#handler?.onData(payload);
  }

  onPacket(packet: Packet): void {
    if (this.#life !== "open") return;
    const { payload } = packet;
    switch (packet.type) {
      case PacketType.DIAL_REQ:
        if (payload.case === "dialRequest") this.#dial(payload.value, payload.value.random);
        else log.debug("ignored DIAL_REQ without a request");
        break;
      case PacketType.CLOSE_REQ:
        if (payload.case === "closeRequest") this.#closeRequested(connectId(payload.value.connectID));
        break;
      case PacketType.DIAL_CLS:
        if (payload.case === "closeDial" && this.#tunnel !== undefined && payload.value.random === this.#random) {
          this.#moved("finished");
          this.#tunnel.abort("closed", "client", "");
        }
        break;
      case PacketType.CLOSE_WRITE:
        if (payload.case === "closeWrite" && connectId(payload.value.connectID) === this.#connectId) {
          this.#early?.clientSpoke();
          this.#handler?.onEnd();
        }
        break;
      default:
        log.debug("ignored packet of type {type} from client", { type: packet.type });
    }
  }

  onDrain(): void {
    if (this.#early?.holding !== true) this.#handler?.onDrain();
  }

  onEnd(): void {
    this.#moved("finished");
    this.#tunnel?.close();
    this.#stream.end();
  }

  onClose(end: StreamEnd): void {
    this.#moved("gone");
    this.#early?.discard();
    if (this.#handler === undefined) this.#tunnel?.abort("reset", "client", "");
    else this.#handler.onClose(end.kind === "failed" ? end.error : undefined);
    this.#options.onGone(end);
  }

  // ---- from the tunnel ----

  tunnelDialed(channel: Channel): void {
    this.#connectId = channel.id;
    this.#stream.sendPacket(dialed(this.#random, channel.id));
    if (this.#holdsEarlyData) {
      this.#early = new EarlyData(
        (payload) => this.#stream.sendData(this.#connectId, payload),
        () => this.#handler?.onDrain(),
        this,
        this.#options.clock,
        (onAnswer) => this.#stream.measure(onAnswer),
      );
    }
    pipe(this, channel);
  }

  tunnelDialFailed(failure: DialFailure): void {
    this.#finish(dialFailed(this.#random, failure.message));
  }

  // ---- ByteStream: what the destination sends ----

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
  }

  write(payload: Uint8Array): boolean {
    if (this.#life === "gone") return true;
    const early = this.#early;
    if (early?.released === false) return early.take(payload);
    return this.#stream.sendData(this.#connectId, payload);
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  end(): void {
    this.#behindEarly(() => this.#stream.sendPacket(closeWrite(this.#connectId)));
  }

  destroy(error?: Error): void {
    this.#behindEarly(() => this.#finish(closeResponse(this.#connectId, error?.message)));
  }

  // ---- own ----

  #dial(target: DialTarget, random: bigint): void {
    if (this.#tunnel !== undefined) {
      this.#stray(dialFailed(random, "this stream carries a tunnel already; open another stream"));
      return;
    }
    this.#random = random;
    const { address, protocol } = target;
    if (address.length + protocol.length > wireLimits.maxAddressLength) {
      // Near the message limit the agent would refuse the packet, and with it the link of every other tunnel.
      this.#finish(dialFailed(random, `dial: address of ${address.length} characters is longer than any can be`));
      return;
    }
    const opened = this.#options.pool.dial({ protocol, address }, this);
    if (opened instanceof ServerTunnel) this.#tunnel = opened;
    else this.tunnelDialFailed(opened);
  }

  #closeRequested(id: ConnectId): void {
    if (this.#tunnel === undefined) {
      this.#stray(closeResponse(id, "backend uninitialized"));
    } else if (id !== this.#connectId || id === 0) {
      this.#stray(closeResponse(id, "mismatched connection IDs"));
    } else {
      this.#early?.clientSpoke();
      this.#tunnel.close();
    }
  }

  /** Answers what is not of this stream's tunnel: now and then, not as often as a client can ask. */
  #stray(answer: Packet): void {
    if (++this.#strays <= maxStrays) {
      this.#stream.sendPacket(answer);
      return;
    }
    this.#tunnel?.abort("mismatch", "client", "");
    this.#finish(answer);
  }

  /** A packet for a connection that is not this stream's: both sides of the own tunnel are closed, the other is not touched. */
  #mismatch(id: ConnectId): void {
    log.warn("client sent DATA for connection {id}, which is not its own; closing its tunnel", { id });
    this.#stream.sendPacket(closeResponse(id, "mismatched connection IDs"));
    const own = closeResponse(this.#connectId, "mismatched connection IDs");
    this.#tunnel?.abort("mismatch", "client", "");
    this.#finish(own);
  }

  #behindEarly(step: () => void): void {
    if (this.#early === undefined) step();
    else this.#early.after(step);
  }

  /** Sends the last packet and ends the stream; what was sent before still goes out. */
  #finish(last: Packet): void {
    if (!this.#moved("finished")) return;
    this.#stream.sendPacket(last);
    this.#stream.end();
    // Reading goes on, so that the client's own end is seen.
    this.resume();
  }

  /** @returns false when the stream is gone already */
  #moved(life: StreamLife): boolean {
    if (this.#life === "gone") return false;
    this.#life = life;
    return true;
  }
}
