import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import { fault, type Owner } from "../faults/fault.ts";
import { guard } from "../faults/owned.ts";
import type { Channel } from "../mux/channel.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../streams/packet_stream.ts";
import { Session } from "../mux/session.ts";
import type { Clock } from "../runtime/clock.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import {
  closeResponse,
  dialFailed,
  drain,
  drainingAnswer,
  type Packet,
  PacketType,
  packetTypeName,
} from "../wire/packet.ts";
import type { EndpointCloseReason } from "./agent_events.ts";
import { Dials } from "./dials.ts";
import type { LinkContext, LinkOwner, LinkServer } from "./link_context.ts";
import type { Endpoint, EndpointCloseInitiator } from "./endpoint.ts";

const log = getLogger(["agent", "link"]);

/** One connection to a server and the tunnels on it. What one tunnel's packet makes throw ends that tunnel, and not the link. */
export class Link implements PacketStreamHandler, Owner {
  readonly place = "link";
  readonly server: LinkServer;
  readonly halfClose: boolean;
  /** Its connection, for its kind and its round trip. */
  readonly stream: PacketStream;
  /** When it was opened, on the clock of its agent. */
  readonly since: number;
  readonly #context: LinkContext;
  readonly #owner: LinkOwner;
  /** Connected endpoints whose tunnel is not over, and those whose last bytes to the client wait. */
  readonly #session: Session<Endpoint>;
  readonly #dials: Dials;
  /** Endpoints whose tunnel is over and whose socket still writes its last bytes. */
  readonly #closing = new Set<Endpoint>();
  /** Bytes for destinations, and of them, of all tunnels that are over. */
  #sentBytes = 0;
  #receivedBytes = 0;
  #tunnels = 0;
  #activity = 0;
  /** This side has asked for no more dials. */
  draining = false;
  /** The server has said that it is about to end. */
  serverDraining = false;
  #closed = false;

  constructor(stream: PacketStream, server: LinkServer, context: LinkContext, owner: LinkOwner) {
    this.server = server;
    this.halfClose = server.features.has("half-close");
    this.stream = stream;
    this.#context = context;
    this.#owner = owner;
    const { clock, limits, budget } = context;
    this.since = clock.now();
    this.#session = new Session(stream, {
      windows: server.features.has("window"),
      returns: server.features.has("window-return"),
      now: clock.now,
      after: clock.after,
      growth: budget,
      stallLimits: { heldBytes: limits.endpointBufferBytes + 1, graceMs: limits.stallGraceMs },
      closeUnknown: (id) => closeResponse(id, "unrecognized connectID"),
    });
    this.#dials = new Dials({
      ...context,
      link: this,
      server,
      reportsResolved: server.features.has("resolved-address"),
      sendPacket: (packet) => this.#session.sendPacket(packet),
      onEnded: () => guard(this, () => this.#reportIdle()),
    });
  }

  /** Starts to serve the link. */
  start(): void {
    this.stream.start(this);
    this.#session.start();
  }

  get clock(): Clock {
    return this.#context.clock;
  }

  /** Tunnels that are not over. */
  get tunnelCount(): number {
    return this.#tunnels;
  }

  /** Pending dials. */
  get dials(): readonly Endpoint[] {
    return this.#dials.all();
  }

  get pendingDials(): number {
    return this.#dials.size;
  }

  /** Sockets to destinations that are open, those included that only write their last bytes. */
  get socketCount(): number {
    return this.#tunnels + this.#closing.size;
  }

  /** Tunnels and dials: what closing the link would cost. */
  get load(): number {
    return this.#tunnels + this.#dials.size;
  }

  /** No tunnel, no dial, and no tunnel that ends. */
  get idle(): boolean {
    return this.#session.size === 0 && this.#dials.size === 0 && this.#closing.size === 0;
  }

  /** Changes whenever the server has shown that it lives: it sent something, or took something that waited. */
  get activity(): number {
    return this.#activity;
  }

  /** Bytes that wait for either side. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const endpoint of this.#session.owners()) bytes += endpoint.queuedBytes;
    for (const endpoint of this.#closing) {
      if (this.#session.owner(endpoint.id) !== endpoint) bytes += endpoint.heldBytes;
    }
    return bytes;
  }

  /** Bytes for destinations, and of them, of all tunnels since the link was opened. */
  get bytes(): { readonly sent: number; readonly received: number } {
    let [sent, received] = [this.#sentBytes, this.#receivedBytes];
    for (const { bytes } of this.tunnels()) [sent, received] = [sent + bytes.sent, received + bytes.received];
    return { sent, received };
  }

  /** Endpoints whose tunnel is not over. */
  *tunnels(): IterableIterator<Endpoint> {
    for (const endpoint of this.#session.owners()) if (!endpoint.over) yield endpoint;
  }

  /** Asks the server to prefer other agents. Dials that come all the same are served. */
  drain(): void {
    if (this.draining || this.#closed) return;
    this.draining = true;
    this.#session.sendPacket(drain());
  }

  /** From now on dials are answered with an error. */
  refuseDials(reason: string): void {
    this.#dials.refuse(reason);
  }

  /** Ends the link in order: tunnels that still run are closed, the server is notified, what was sent before goes out. */
  close(reason: string): void {
    if (this.#closed) return;
    this.refuseDials(drainingAnswer);
    for (const endpoint of this.#dials.all()) {
      guard(endpoint, () => {
        if (endpoint.state === "dialing") this.#session.sendPacket(dialFailed(endpoint.random, drainingAnswer));
        endpoint.linkLost("shutdown");
      });
    }
    for (const endpoint of [...this.#session.owners()]) {
      guard(endpoint, () => {
        if (endpoint.state !== "closing") this.#session.sendPacket(closeResponse(endpoint.id, reason));
        endpoint.linkLost("shutdown");
      });
    }
    this.stream.end();
  }

  /** Drops the link and everything on it, sockets that still write included. */
  destroy(error: Error): void {
    this.stream.destroy(error);
    for (const endpoint of [...this.#closing]) guard(endpoint, () => endpoint.destroy());
  }

  /** {@link Owner}: the link's own state cannot be trusted any more. */
  faulted(error: Error): void {
    this.destroy(error);
  }

  // ---- PacketStreamHandler: from the server ----

  onData(id: ConnectId, payload: Uint8Array): void {
    this.#activity++;
    this.#session.deliver(id, payload);
  }

  onPacket(packet: Packet): void {
    this.#activity++;
    // Looked up before: what is in the tables afterwards is what the exception left there.
    const endpoint = this.#endpointOf(packet.payload);
    if (endpoint === undefined) return this.#onPacket(packet);
    try {
      this.#onPacket(packet);
    } catch (error) {
      fault(endpoint, error);
    }
  }

  #endpointOf(payload: Packet["payload"]): Endpoint | undefined {
    switch (payload.case) {
      case "closeRequest":
      case "closeWrite":
      case "window":
        return this.#session.owner(connectId(payload.value.connectID));
      case "closeDial":
        return this.#dials.of(payload.value.random);
      default:
        return undefined;
    }
  }

  #onPacket(packet: Packet): void {
    const { payload } = packet;
    switch (packet.type) {
      case PacketType.DIAL_REQ:
        if (payload.case === "dialRequest") {
          const { protocol, address, random, traceparent } = payload.value;
          return this.#dials.begin(protocol, address, random, traceparent);
        }
        break;
      case PacketType.CLOSE_REQ:
        if (payload.case === "closeRequest") return this.#closeRequested(connectId(payload.value.connectID));
        break;
      case PacketType.DIAL_CLS:
        if (payload.case === "closeDial") return this.#dials.givenUp(payload.value.random);
        break;
      case PacketType.DRAIN:
        this.serverDraining = true;
        return;
      case PacketType.CLOSE_WRITE:
        if (payload.case === "closeWrite" && this.halfClose) {
          return this.#session.owner(connectId(payload.value.connectID))?.clientEnded();
        }
        break;
      case PacketType.WINDOW:
        if (payload.case === "window" && this.#session.options.windows) {
          return this.#granted(connectId(payload.value.connectID), Number(payload.value.bytes));
        }
        break;
    }
    // Nothing else comes from a server; packets of later versions are not for this agent.
    log.debug("ignored packet of type {type} with payload {payload} from server {serverId}", {
      type: packetTypeName(packet.type),
      payload: payload.case ?? "none",
      serverId: this.server.serverId,
    });
  }

  onDrain(): void {
    this.#activity++;
    this.#session.scheduler.onDrain();
    this.#forgetFinished();
  }

  onEnd(): void {
    this.stream.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    if (end.kind === "failed") {
      this.#context.events.streamFailed("to_agent", Code[ConnectError.from(end.error).code] ?? "Unknown", "Unknown");
    }
    for (const endpoint of this.#dials.all()) guard(endpoint, () => endpoint.linkLost("link_lost"));
    for (const endpoint of [...this.#session.owners()]) guard(endpoint, () => endpoint.linkLost("link_lost"));
    for (const { id } of [...this.#session.owners()]) this.#session.forget(id);
    this.#dials.clear();
    this.#owner.linkClosed(this, end);
  }

  // ---- from the endpoints ----

  sendPacket(packet: Packet): void {
    this.#session.sendPacket(packet);
  }

  /** Opens the tunnel's share of the link. */
  open(endpoint: Endpoint): Channel {
    endpoint.since = this.#context.clock.now();
    this.#tunnels++;
    return this.#session.open(endpoint.id, endpoint);
  }

  /** The client has shown that it knows the connection's id. */
  confirmed(endpoint: Endpoint): void {
    this.#dials.confirmed(endpoint);
  }

  /** The tunnel is over, the socket may still have bytes to write. */
  ended(endpoint: Endpoint, reason: EndpointCloseReason, initiator: EndpointCloseInitiator): void {
    const { clock, events } = this.#context;
    this.#tunnels--;
    this.#dials.confirmed(endpoint);
    if (endpoint.queuedBytes === endpoint.heldBytes) this.#session.forget(endpoint.id);
    events.endpointClosed((clock.now() - endpoint.since) / 1000, reason, initiator, endpoint, this.server);
    log.debug("tunnel {tunnel} has ended: {reason} by {initiator}", { tunnel: endpoint.random, reason, initiator });
    this.#sentBytes += endpoint.bytes.sent;
    this.#receivedBytes += endpoint.bytes.received;
    // The socket goes on until it has written its last bytes; it reports when it is gone.
    this.#closing.add(endpoint);
  }

  /** The socket is gone too. */
  gone(endpoint: Endpoint): void {
    this.#closing.delete(endpoint);
    this.#reportIdle();
  }

  // ---- own ----

  #closeRequested(id: ConnectId): void {
    const endpoint = this.#session.owner(id);
    if (endpoint?.clientClosed() === true) return;
    if (endpoint === undefined) {
      this.#session.sendPacket(closeResponse(id, "Unknown connectID"));
      return;
    }
    // The tunnel is over and only the destination's last bytes wait, which nobody takes any more.
    endpoint.dropUnsent();
    this.#session.forget(id);
    this.#session.sendPacket(closeResponse(id));
  }

  #granted(id: ConnectId, bytes: number): void {
    this.#session.granted(id, bytes);
    if (this.#session.owner(id)?.over === true) this.#forgetFinished();
  }

  /** Forgets endpoints whose tunnel is over and whose last bytes have gone out. */
  #forgetFinished(): void {
    if (this.#session.size === this.#tunnels) return;
    for (const endpoint of this.#session.owners()) {
      if (endpoint.over && endpoint.queuedBytes === endpoint.heldBytes) this.#session.forget(endpoint.id);
    }
    this.#reportIdle();
  }

  #reportIdle(): void {
    if (this.idle) this.#owner.linkIdle(this);
  }
}
