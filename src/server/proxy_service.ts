import { getLogger } from "@logtape/logtape";
import type { PacketStream, PacketStreamHandler } from "../tunnel/packet_stream.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import { metadataKeys, parseFeatures } from "../wire/metadata.ts";
import { closeResponse, dialed, dialFailed, type DialTarget, type Packet, PacketType } from "../wire/packet.ts";
import type { BackendPool } from "./backend_pool.ts";
import { type DialFailure, noAgent } from "./dial_outcome.ts";
import { EarlyData } from "./early_data.ts";
import type { ServerTunnel, TunnelClient } from "./tunnel.ts";

const log = getLogger(["server", "grpc-frontend"]);

/** A call of ProxyService.Proxy, before it is answered. */
export interface ProxyCall {
  metadata(key: string): readonly string[];
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
}

/** The gRPC frontend: each call of ProxyService carries one tunnel. */
export class ProxyService {
  readonly #pool: BackendPool;
  readonly #streams = new Set<ProxyStream>();

  constructor(pool: BackendPool) {
    this.#pool = pool;
  }

  handle(call: ProxyCall): void {
    const takesEarlyData = parseFeatures(call.metadata(metadataKeys.features)[0]).has("early-data");
    const stream = new ProxyStream(call.accept({}), this.#pool, !takesEarlyData, () => this.#streams.delete(stream));
    this.#streams.add(stream);
    stream.start();
  }

  /** Client streams open now. */
  get streamCount(): number {
    return this.#streams.size;
  }
}

/**
 * One client stream: at most one tunnel, dialled by the stream's first DIAL_REQ. Ids in packets are checked against that
 * tunnel, so that a client reaches no other client's connection.
 */
class ProxyStream implements PacketStreamHandler, TunnelClient {
  readonly #stream: PacketStream;
  readonly #pool: BackendPool;
  readonly #onGone: () => void;
  readonly #holdsEarlyData: boolean;
  #tunnel: ServerTunnel | undefined;
  /** The client's own number for its dial. */
  #random = 0n;
  /** The tunnel's end was told or asked for; what the client still sends is discarded. */
  #finished = false;
  /** The stream is closed; nothing can be sent. */
  #gone = false;
  /** What ends the stream once early data has been delivered. */
  #lastPacket: Packet | undefined;
  #early: EarlyData | undefined;

  constructor(stream: PacketStream, pool: BackendPool, holdsEarlyData: boolean, onGone: () => void) {
    this.#stream = stream;
    this.#pool = pool;
    this.#holdsEarlyData = holdsEarlyData;
    this.#onGone = onGone;
  }

  start(): void {
    this.#stream.start(this);
  }

  // ---- from the client ----

  onData(id: ConnectId, payload: Uint8Array): void {
    if (this.#finished) return;
    if (this.#tunnel === undefined) return this.#finish(closeResponse(id, "backend not initialized"));
    if (id === 0) return log.debug("ignored DATA without a connection id");
    if (id !== this.#tunnel.connectId) return this.#mismatch(id);
    this.#early?.clientSpoke();
    if (!this.#tunnel.send(payload)) this.#stream.pause();
  }

  onPacket(packet: Packet): void {
    if (this.#finished) return;
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
          this.#finished = true;
          this.#tunnel.close();
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
    this.#finished = true;
    this.#tunnel?.close();
    this.#stream.end();
  }

  onClose(): void {
    this.#finished = true;
    this.#gone = true;
    this.#early?.discard();
    this.#tunnel?.close();
    this.#onGone();
  }

  // ---- from the tunnel ----

  tunnelDialed(id: ConnectId): void {
    this.#stream.sendPacket(dialed(this.#random, id));
    if (!this.#holdsEarlyData) return;
    this.#early = new EarlyData(
      (payload) => this.#stream.sendData(id, payload),
      () => this.#earlyReleased(),
    );
  }

  tunnelDialFailed(failure: DialFailure): void {
    this.#finish(dialFailed(this.#random, failure.message));
  }

  tunnelData(payload: Uint8Array): boolean {
    const tunnel = this.#tunnel;
    if (tunnel === undefined || this.#gone) return true;
    if (this.#early !== undefined) return this.#early.take(payload);
    return this.#stream.sendData(tunnel.connectId, payload);
  }

  tunnelWritable(): void {
    this.#stream.resume();
  }

  tunnelClosed(error: string): void {
    const last = closeResponse(this.#tunnel?.connectId ?? 0, error);
    if (this.#early?.holding === true) this.#lastPacket = last;
    else this.#finish(last);
  }

  // ---- own ----

  #dial(target: DialTarget, random: bigint): void {
    if (this.#tunnel !== undefined) {
      this.#stream.sendPacket(dialFailed(random, "this stream carries a tunnel already; open another stream"));
      return;
    }
    this.#random = random;
    const backend = this.#pool.pick(target.address);
    if (backend === undefined) this.tunnelDialFailed(noAgent);
    else this.#tunnel = backend.dial({ protocol: target.protocol, address: target.address }, this);
  }

  #closeRequested(id: ConnectId): void {
    if (this.#tunnel === undefined) {
      this.#stream.sendPacket(closeResponse(id, "backend uninitialized"));
    } else if (id !== this.#tunnel.connectId || id === 0) {
      this.#stream.sendPacket(closeResponse(id, "mismatched connection IDs"));
    } else {
      this.#early?.clientSpoke();
      this.#tunnel.close();
    }
  }

  /** A packet for a connection that is not this stream's: both sides of the own tunnel are closed, the other is not touched. */
  #mismatch(id: ConnectId): void {
    log.warn("client sent DATA for connection {id}, which is not its own; closing its tunnel", { id });
    this.#stream.sendPacket(closeResponse(id, "mismatched connection IDs"));
    this.#tunnel?.close();
    this.#finish(closeResponse(this.#tunnel?.connectId ?? 0, "mismatched connection IDs"));
  }

  #earlyReleased(): void {
    this.#early = undefined;
    if (this.#lastPacket !== undefined) this.#finish(this.#lastPacket);
    else this.#tunnel?.clientDrained();
  }

  /** Sends the last packet and ends the stream; what was sent before still goes out. */
  #finish(last: Packet): void {
    if (this.#gone) return;
    this.#finished = true;
    this.#stream.sendPacket(last);
    this.#stream.end();
    // Reading goes on, so that the client's own end is seen.
    this.#stream.resume();
  }
}
