import { getLogger } from "@logtape/logtape";
import type { Owner } from "../../faults/fault.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import { type ConnectId, connectId } from "../../wire/connect_id.ts";
import { traceparentKey } from "../../wire/trace_context.ts";
import { wireLimits } from "../../wire/limits.ts";
import { type Feature, formatFeatures, metadataKeys, parseFeatures } from "../../wire/metadata.ts";
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
import type { ConnectError } from "@connectrpc/connect";
import type { Admission } from "../admission.ts";
import type { AuditTrail } from "../audit_trail.ts";
import type { BackendPool } from "../backend_pool.ts";
import type { DialFailure } from "../dial_outcome.ts";
import { EarlyData } from "./early_data.ts";
import { receiptCode, type ServerEvents } from "../server_events.ts";
import { ServerTunnel } from "../tunnel.ts";
import type { TunnelClient } from "../tunnel_sides.ts";

const log = getLogger(["server", "grpc-frontend"]);

/** A call of ProxyService.Proxy, before it is answered. */
export interface ProxyCall {
  readonly peer: PeerIdentity;
  metadata(key: string): readonly string[];
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  refuse(error: ConnectError): void;
}

/** What this server offers to clients beyond the original's protocol. */
const offered: readonly Feature[] = ["early-data", "half-close"];

/** Packets of a client that are not of its tunnel and are answered; with one more its stream ends. */
const maxStrays = 16;

/** The gRPC frontend: each call of ProxyService carries one tunnel. */
export class ProxyService {
  readonly #pool: BackendPool;
  readonly #admission: Admission;
  readonly #audit: AuditTrail | undefined;
  readonly #events: ServerEvents;
  readonly #clock: Clock;
  readonly #streams = new Set<ProxyStream>();

  constructor(pool: BackendPool, admission: Admission, events: ServerEvents, clock: Clock, audit?: AuditTrail) {
    this.#pool = pool;
    this.#admission = admission;
    this.#audit = audit;
    this.#events = events;
    this.#clock = clock;
  }

  handle(call: ProxyCall): void {
    const refusal = this.#admission.refusal(call.peer);
    if (refusal !== undefined) {
      this.#audit?.clientRefused(call.peer, "grpc", undefined, refusal.rawMessage);
      return call.refuse(refusal);
    }
    const asked = parseFeatures(call.metadata(metadataKeys.features)[0]);
    const features = new Set(offered.filter((feature) => asked.has(feature)));
    const accepted = call.accept(asked.size === 0 ? {} : { [metadataKeys.features]: formatFeatures(features) });
    const stream = new ProxyStream(accepted, call.peer, features, {
      clock: this.#clock,
      traceparent: this.#pool.traces ? call.metadata(traceparentKey)[0] : undefined,
      open: (target, client) => this.#pool.dial(target, client),
      gone: (end) => {
        this.#streams.delete(stream);
        if (end.kind === "ended") return;
        this.#events.streamFailed("from_client", receiptCode(end.error), "Unknown");
      },
    });
    this.#streams.add(stream);
    stream.start();
  }

  /** Client streams open now. */
  get callCount(): number {
    return this.#streams.size;
  }

  /** Client streams whose reading is paused now. */
  get heldClients(): number {
    let held = 0;
    for (const stream of this.#streams) if (stream.paused) held++;
    return held;
  }
}

/** What a client stream needs of its service. */
interface ProxyStreamOwner {
  readonly clock: Clock;
  /** See {@link TunnelClient}. */
  readonly traceparent: string | undefined;
  /** Opens a tunnel, or says why not. */
  open(target: DialTarget, client: TunnelClient): ServerTunnel | DialFailure;
  /** The stream is closed. */
  gone(end: StreamEnd): void;
}

/**
 * Where a client's stream stands:
 * - `open`: packets are taken
 * - `finished`: the client was notified of its tunnel's end, or asked for it; what it still sends is discarded
 * - `gone`: the stream is closed, nothing can be sent
 */
type StreamLife = "open" | "finished" | "gone";

/**
 * One client stream: at most one tunnel, dialled by the stream's first DIAL_REQ. Ids in packets are checked against that
 * tunnel, so that a client reaches no other client's connection.
 */
class ProxyStream implements PacketStreamHandler, TunnelClient, Owner {
  readonly place = "stream";
  readonly peer: PeerIdentity;
  readonly frontend = "grpc";
  readonly halfCloses: boolean;
  readonly traceparent: string | undefined;
  readonly #stream: PacketStream;
  readonly #owner: ProxyStreamOwner;
  readonly #holdsEarlyData: boolean;
  #tunnel: ServerTunnel | undefined;
  /** The client's own number for its dial. */
  #random = 0n;
  #life: StreamLife = "open";
  /** Packets that wait behind early data: the destination's end, the tunnel's end. */
  #held: Packet[] = [];
  #early: EarlyData | undefined;
  #paused = false;
  #strays = 0;

  constructor(
    stream: PacketStream,
    peer: PeerIdentity,
    features: ReadonlySet<Feature>,
    owner: ProxyStreamOwner,
  ) {
    this.peer = peer;
    this.#stream = stream;
    this.#owner = owner;
    this.halfCloses = features.has("half-close");
    this.traceparent = owner.traceparent;
    this.#holdsEarlyData = !features.has("early-data");
  }

  /** Reading from the client is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  start(): void {
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
    if (id !== this.#tunnel.connectId) return this.#mismatch(id);
    this.#early?.clientSpoke();
    if (this.#tunnel.send(payload)) return;
    this.#paused = true;
    this.#stream.pause();
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
        if (payload.case === "closeWrite" && connectId(payload.value.connectID) === this.#tunnel?.connectId) {
          this.#early?.clientSpoke();
          this.#tunnel.end();
        }
        break;
      default:
        log.debug("ignored packet of type {type} from client", { type: packet.type });
    }
  }

  onDrain(): void {
    this.#tunnel?.clientDrained();
  }

  onEnd(): void {
    this.#moved("finished");
    this.#tunnel?.close();
    this.#stream.end();
  }

  onClose(end: StreamEnd): void {
    this.#moved("gone");
    this.#early?.discard();
    this.#tunnel?.abort("reset", "client", "");
    this.#owner.gone(end);
  }

  // ---- from the tunnel ----

  tunnelDialed(id: ConnectId): void {
    this.#stream.sendPacket(dialed(this.#random, id));
    if (!this.#holdsEarlyData) return;
    let more = true;
    this.#early = new EarlyData(
      (payload) => more = this.#stream.sendData(id, payload),
      () => this.#earlyReleased(more),
      this,
      this.#owner.clock,
      (onAnswer) => this.#stream.measure(onAnswer),
    );
  }

  tunnelDialFailed(failure: DialFailure): void {
    this.#finish(dialFailed(this.#random, failure.message));
  }

  tunnelData(payload: Uint8Array): boolean {
    const tunnel = this.#tunnel;
    if (tunnel === undefined || this.#life === "gone") return true;
    // It is gone once it has let go of what it held, which may be within this call.
    const early = this.#early;
    // What is held has not been taken: the agent gets no credit for it yet.
    if (early !== undefined) return early.take(payload) && !early.holding;
    return this.#stream.sendData(tunnel.connectId, payload);
  }

  tunnelWritable(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  tunnelEnded(): void {
    const end = closeWrite(this.#tunnel?.connectId ?? 0);
    if (this.#early?.holding === true) this.#held.push(end);
    else this.#stream.sendPacket(end);
  }

  tunnelClosed(error: string): void {
    const last = closeResponse(this.#tunnel?.connectId ?? 0, error);
    if (this.#early?.holding === true) this.#held.push(last);
    else this.#finish(last);
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
    const opened = this.#owner.open({ protocol, address }, this);
    if (opened instanceof ServerTunnel) this.#tunnel = opened;
    else this.tunnelDialFailed(opened);
  }

  #closeRequested(id: ConnectId): void {
    if (this.#tunnel === undefined) {
      this.#stray(closeResponse(id, "backend uninitialized"));
    } else if (id !== this.#tunnel.connectId || id === 0) {
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
    const own = closeResponse(this.#tunnel?.connectId ?? 0, "mismatched connection IDs");
    this.#tunnel?.abort("mismatch", "client", "");
    this.#finish(own);
  }

  /** @param more the client takes more */
  #earlyReleased(more: boolean): void {
    this.#early = undefined;
    for (const packet of this.#held) {
      if (packet.type === PacketType.CLOSE_RSP) this.#finish(packet);
      else this.#stream.sendPacket(packet);
    }
    this.#held = [];
    if (more) this.#tunnel?.clientDrained();
  }

  /** Sends the last packet and ends the stream; what was sent before still goes out. */
  #finish(last: Packet): void {
    if (!this.#moved("finished")) return;
    this.#stream.sendPacket(last);
    this.#stream.end();
    // Reading goes on, so that the client's own end is seen.
    this.#paused = false;
    this.#stream.resume();
  }

  /** @returns false when the stream is gone already */
  #moved(life: StreamLife): boolean {
    if (this.#life === "gone") return false;
    this.#life = life;
    return true;
  }
}
