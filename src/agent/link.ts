import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import { FairWriter, Lane } from "../tunnel/fair_writer.ts";
import { flowLimits } from "../tunnel/flow_limits.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../tunnel/packet_stream.ts";
import { ReadGate } from "../tunnel/read_gate.ts";
import { type GrowthBudget, type LinkPace, ReceiveWindow } from "../tunnel/receive_window.ts";
import { SendWindow } from "../tunnel/send_window.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import type { Feature } from "../wire/metadata.ts";
import { closeResponse, dialed, dialFailed, drain, type Packet, PacketType, packetTypeName } from "../wire/packet.ts";
import type { AgentEvents, EndpointCloseReason } from "./agent_events.ts";
import type { AgentLimits } from "./agent_limits.ts";
import type { Clock } from "./clock.ts";
import { closeGrace } from "./close_grace.ts";
import type { Dialler, DialResult } from "./dialler.ts";
import { Endpoint, type EndpointCloseInitiator, type EndpointLink } from "./endpoint.ts";

const log = getLogger(["agent", "link"]);

/** What every link of an agent shares. */
export interface LinkContext {
  readonly dial: Dialler;
  readonly clock: Clock;
  readonly limits: AgentLimits;
  readonly events: AgentEvents;
  readonly budget: GrowthBudget;
}

/** What a link tells its owner. */
export interface LinkOwner {
  /** The link became idle: no tunnel, no dial, nothing left to write. Told also when the link is gone. */
  linkIdle(link: Link): void;
  /** Called once, when the link is gone and everything on it has been told. */
  linkClosed(link: Link, end: StreamEnd): void;
}

/** The server at a link's other end. */
export interface LinkServer {
  readonly serverId: string;
  readonly features: ReadonlySet<Feature>;
}

/** Answers a dial that another agent should take; this project's server moves it to one. */
export const drainingAnswer = "agent is draining";

interface Entry {
  readonly endpoint: Endpoint;
  readonly window: SendWindow;
  readonly startedAt: number;
}

/**
 * One connection to a server and the tunnels on it. Connection ids count from one and every dial takes one, failed
 * ones too, as the original's do.
 */
export class Link implements PacketStreamHandler, EndpointLink {
  readonly server: LinkServer;
  readonly halfClose: boolean;
  readonly #stream: PacketStream;
  readonly #context: LinkContext;
  readonly #owner: LinkOwner;
  readonly #writer: FairWriter;
  readonly #reading: ReadGate<Endpoint>;
  readonly #pace: LinkPace;
  readonly #windows: boolean;
  /** Dials under way, and the last one of each number: numbers are the clients' own and may repeat. */
  readonly #dials = new Set<Endpoint>();
  readonly #dialing = new Map<bigint, Endpoint>();
  /** Connected endpoints whose tunnel is not over, and those whose last bytes to the client wait. */
  readonly #endpoints = new Map<ConnectId, Entry>();
  /** Endpoints by the client's number, until the client shows that it knows the connection's id. */
  readonly #unconfirmed = new Map<bigint, Endpoint>();
  /** Endpoints whose tunnel is over, with what ends their wait; they may still write to their destination. */
  readonly #closing = new Map<Endpoint, () => void>();
  /** Endpoints that hold the link back, with what ends their grace. */
  readonly #stalling = new Map<Endpoint, () => void>();
  #lastId = 0;
  #tunnels = 0;
  #lastUnknown: ConnectId = 0;
  #activity = 0;
  #draining = false;
  #refusal: string | undefined;
  #closed = false;

  constructor(stream: PacketStream, server: LinkServer, context: LinkContext, owner: LinkOwner) {
    this.server = server;
    this.halfClose = server.features.has("half-close");
    this.#windows = server.features.has("window");
    this.#stream = stream;
    this.#context = context;
    this.#owner = owner;
    const now = () => context.clock.now();
    this.#writer = new FairWriter(stream, now);
    this.#reading = new ReadGate(stream);
    this.#pace = { now, roundTripMs: () => stream.roundTripMs };
  }

  /** Starts to serve the link. */
  start(): void {
    this.#stream.start(this);
    if (this.#windows) this.#stream.measure();
  }

  /** Tunnels that are not over. */
  get tunnelCount(): number {
    return this.#tunnels;
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

  /** Nothing is under way. */
  get idle(): boolean {
    return this.#endpoints.size === 0 && this.#dials.size === 0 && this.#closing.size === 0;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Changes whenever the server has shown that it lives: it sent something, or took something that waited. */
  get activity(): number {
    return this.#activity;
  }

  /** Bytes that wait for either side. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { endpoint } of this.#endpoints.values()) bytes += endpoint.queuedBytes;
    for (const endpoint of this.#closing.keys()) if (!this.#endpoints.has(endpoint.id)) bytes += endpoint.heldBytes;
    return bytes;
  }

  /** Asks the server to prefer other agents. Dials that come all the same are served. */
  drain(): void {
    if (this.#draining || this.#closed) return;
    this.#draining = true;
    this.#writer.sendPacket(drain());
  }

  /** From now on dials are answered with an error. */
  refuseDials(reason: string): void {
    this.#refusal = reason;
  }

  /** Ends the link in order: tunnels that still run are closed, the server is told, what was sent before goes out. */
  close(reason: string): void {
    if (this.#closed) return;
    this.refuseDials(drainingAnswer);
    for (const endpoint of [...this.#dials]) {
      if (endpoint.state === "dialing") this.#writer.sendPacket(dialFailed(endpoint.random, drainingAnswer));
      endpoint.linkLost("shutdown");
    }
    for (const { endpoint } of [...this.#endpoints.values()]) {
      if (endpoint.state !== "closing") this.#writer.sendPacket(closeResponse(endpoint.id, reason));
      endpoint.linkLost("shutdown");
    }
    this.#stream.end();
  }

  /** Drops the link and everything on it, sockets that still write included. */
  destroy(error: Error): void {
    this.#stream.destroy(error);
    for (const endpoint of [...this.#closing.keys()]) endpoint.destroy();
  }

  // ---- PacketStreamHandler: from the server ----

  onData(id: ConnectId, payload: Uint8Array): void {
    this.#activity++;
    const entry = this.#endpoints.get(id);
    if (entry?.endpoint.deliver(payload) === true) {
      if (this.#unconfirmed.size > 0) this.#unconfirmed.delete(entry.endpoint.random);
      return;
    }
    // Its end is on its way behind the destination's last bytes; an answer now would overtake them.
    if (entry !== undefined) return;
    if (id === 0) return log.debug("ignored DATA without a connection id");
    // One answer for all packets of a connection that were under way when it ended, and for all pieces of a packet.
    if (id === this.#lastUnknown) return;
    this.#lastUnknown = id;
    this.#writer.sendPacket(closeResponse(id, "unrecognized connectID"));
  }

  onPacket(packet: Packet): void {
    this.#activity++;
    const { payload } = packet;
    switch (packet.type) {
      case PacketType.DIAL_REQ:
        if (payload.case === "dialRequest") {
          const { protocol, address, random } = payload.value;
          return this.#dial(protocol, address, random);
        }
        break;
      case PacketType.CLOSE_REQ:
        if (payload.case === "closeRequest") return this.#closeRequested(connectId(payload.value.connectID));
        break;
      case PacketType.DIAL_CLS:
        if (payload.case === "closeDial") return this.#dialClosed(payload.value.random);
        break;
      case PacketType.CLOSE_WRITE:
        if (payload.case === "closeWrite" && this.halfClose) {
          return this.#endpoints.get(connectId(payload.value.connectID))?.endpoint.clientEnded();
        }
        break;
      case PacketType.WINDOW:
        if (payload.case === "window" && this.#windows) {
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
    this.#writer.onDrain();
    this.#forgetFinished();
  }

  onEnd(): void {
    this.#stream.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    if (end.kind === "failed") {
      this.#context.events.streamFailed("to_agent", Code[ConnectError.from(end.error).code] ?? "Unknown", "Unknown");
    }
    for (const endpoint of [...this.#dials]) endpoint.linkLost("link_lost");
    for (const { endpoint } of [...this.#endpoints.values()]) endpoint.linkLost("link_lost");
    this.#endpoints.clear();
    this.#unconfirmed.clear();
    this.#owner.linkClosed(this, end);
  }

  // ---- EndpointLink: from the endpoints ----

  sendPacket(packet: Packet): void {
    this.#writer.sendPacket(packet);
  }

  lane(endpoint: Endpoint): Lane {
    const window = new SendWindow(this.#windows ? flowLimits.initialWindowBytes : Infinity);
    this.#endpoints.set(endpoint.id, { endpoint, window, startedAt: this.#context.clock.now() });
    this.#tunnels++;
    return new Lane(this.#writer, endpoint.id, window, endpoint);
  }

  window(): ReceiveWindow | undefined {
    return this.#windows ? new ReceiveWindow(this.#context.budget, this.#pace) : undefined;
  }

  heldChanged(endpoint: Endpoint): void {
    const { endpointBufferBytes, stallGraceMs } = this.#context.limits;
    if (endpoint.heldBytes <= endpointBufferBytes) return this.#release(endpoint);
    // Nothing more comes for a tunnel that is over, so that it has no reason to hold the others back.
    if (this.#stalling.has(endpoint) || endpoint.over) return;
    this.#reading.close(endpoint);
    const cancel = this.#context.clock.after(stallGraceMs, () => {
      log.warn("tunnel {tunnel} is closed: its destination has not read for {seconds} s and held its link back", {
        tunnel: endpoint.random,
        seconds: stallGraceMs / 1000,
      });
      endpoint.refuse("stalled", `destination has not read for ${stallGraceMs / 1000} s`);
    });
    this.#stalling.set(endpoint, cancel);
  }

  ended(endpoint: Endpoint, reason: EndpointCloseReason, initiator: EndpointCloseInitiator): void {
    const { clock, events, limits } = this.#context;
    const entry = this.#endpoints.get(endpoint.id);
    this.#tunnels--;
    this.#unconfirmed.delete(endpoint.random);
    this.#release(endpoint);
    if (endpoint.queuedBytes === endpoint.heldBytes) this.#endpoints.delete(endpoint.id);
    events.endpointClosed((clock.now() - (entry?.startedAt ?? clock.now())) / 1000, reason, initiator);
    log.debug("tunnel {tunnel} has ended: {reason} by {initiator}", { tunnel: endpoint.random, reason, initiator });
    // The socket goes on until it has written its last bytes; it reports when it is gone.
    const cancel = endpoint.state === "closing" ? closeGrace(clock, limits.closeGraceMs, endpoint) : () => {};
    this.#closing.set(endpoint, cancel);
  }

  gone(endpoint: Endpoint): void {
    this.#release(endpoint);
    this.#closing.get(endpoint)?.();
    this.#closing.delete(endpoint);
    this.#reportIdle();
  }

  // ---- own ----

  #dial(network: string, address: string, random: bigint): void {
    const id = ++this.#lastId;
    const { dial, limits } = this.#context;
    const refusal = this.#refusal ??
      (this.#dials.size >= limits.maxPendingDials ? `agent has ${this.#dials.size} dials under way` : undefined);
    if (refusal !== undefined) {
      this.#writer.sendPacket(dialFailed(random, refusal));
      return;
    }
    this.#lastUnknown = 0;
    const giveUp = new AbortController();
    const endpoint = new Endpoint(id, random, giveUp, this, limits.discardBytes);
    const startedAt = this.#context.clock.now();
    this.#dials.add(endpoint);
    this.#dialing.set(random, endpoint);
    void dial(network, address, { timeoutMs: limits.dialTimeoutMs, signal: giveUp.signal })
      .then((result) => this.#dialEnded(endpoint, startedAt, result));
  }

  #dialEnded(endpoint: Endpoint, startedAt: number, result: DialResult): void {
    const { clock, events } = this.#context;
    this.#dials.delete(endpoint);
    if (this.#dialing.get(endpoint.random) === endpoint) this.#dialing.delete(endpoint.random);
    if (result.ok) {
      if (endpoint.dialed(result.stream)) {
        events.endpointDialed((clock.now() - startedAt) / 1000);
        this.#unconfirmed.set(endpoint.random, endpoint);
        this.#writer.sendPacket(dialed(endpoint.random, endpoint.id));
        log.debug("tunnel {tunnel} is connection {id}", { tunnel: endpoint.random, id: endpoint.id });
        endpoint.start();
      } else {
        result.stream.destroy();
      }
    } else if (endpoint.dialFailed()) {
      events.endpointDialFailed(result.failure.reason);
      log.debug("tunnel {tunnel} failed: {error}", { tunnel: endpoint.random, error: result.failure.message });
      this.#writer.sendPacket(dialFailed(endpoint.random, result.failure.message));
    }
    this.#reportIdle();
  }

  #closeRequested(id: ConnectId): void {
    const endpoint = this.#endpoints.get(id)?.endpoint;
    if (endpoint?.clientClosed() === true) return;
    if (endpoint === undefined) {
      this.#writer.sendPacket(closeResponse(id, "Unknown connectID"));
      return;
    }
    // The tunnel is over and only the destination's last bytes wait, which nobody takes any more.
    endpoint.dropUnsent();
    this.#endpoints.delete(id);
    this.#writer.sendPacket(closeResponse(id));
  }

  /** The client gave up. Its dial may be under way, or the answer may be: then what was opened is closed again. */
  #dialClosed(random: bigint): void {
    const endpoint = this.#dialing.get(random) ?? this.#unconfirmed.get(random);
    if (endpoint?.clientClosed() !== true) log.debug("ignored DIAL_CLS for {random}, which is unknown", { random });
  }

  #granted(id: ConnectId, bytes: number): void {
    const entry = this.#endpoints.get(id);
    if (entry === undefined) return;
    if (entry.window.grant(bytes)) entry.endpoint.granted();
    else entry.endpoint.refuse("reset", "server returned impossible credit");
    if (entry.endpoint.over) this.#forgetFinished();
  }

  /** Forgets endpoints whose tunnel is over and whose last bytes have gone out. */
  #forgetFinished(): void {
    if (this.#endpoints.size === this.#tunnels) return;
    for (const [id, { endpoint }] of this.#endpoints) {
      if (endpoint.over && endpoint.queuedBytes === endpoint.heldBytes) this.#endpoints.delete(id);
    }
    this.#reportIdle();
  }

  #release(endpoint: Endpoint): void {
    const cancel = this.#stalling.get(endpoint);
    if (cancel === undefined) return;
    cancel();
    this.#stalling.delete(endpoint);
    this.#reading.open(endpoint);
  }

  #reportIdle(): void {
    if (this.idle) this.#owner.linkIdle(this);
  }
}
