import { getLogger } from "@logtape/logtape";
import { type TimeLimit, timeLimit } from "../time/time_limit.ts";
import { FairWriter, Lane } from "../tunnel/fair_writer.ts";
import { flowLimits } from "../tunnel/flow_limits.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../tunnel/packet_stream.ts";
import { ReadGate } from "../tunnel/read_gate.ts";
import { type GrowthBudget, type LinkPace, ReceiveWindow } from "../tunnel/receive_window.ts";
import { SendWindow } from "../tunnel/send_window.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import type { AgentIdentifiers } from "../wire/identifiers.ts";
import type { Feature } from "../wire/metadata.ts";
import {
  closeDial,
  closeRequest,
  dialRequest,
  drain,
  type Packet,
  PacketType,
  packetTypeName,
  windowCredit,
} from "../wire/packet.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { ServerEvents } from "./server_events.ts";
import { serverLimits } from "./server_limits.ts";
import type { ServerTunnel, TunnelFlow, TunnelLink } from "./tunnel.ts";

const log = getLogger(["server", "backend"]);

/** Who an agent said it is, and what it can do. */
export interface AgentInfo {
  readonly agentId: string;
  readonly identifiers: AgentIdentifiers;
  /** Features that both sides have. */
  readonly features: ReadonlySet<Feature>;
}

/** What a backend needs beyond its link. */
export interface BackendOptions {
  /** Milliseconds that an agent may take to answer a dial; 0 waits for ever. */
  readonly dialTimeoutMs: number;
  readonly events: ServerEvents;
  readonly growth: GrowthBudget;
  /** Moves a dial that this backend did not take to another one; false when there is none. */
  readonly redial: (tunnel: ServerTunnel, failed: Backend) => boolean;
  /** Called once, when the link is gone and every tunnel on it has been told. */
  readonly onClosed: (backend: Backend, end: StreamEnd) => void;
}

interface PendingDial {
  readonly tunnel: ServerTunnel;
  readonly limit: TimeLimit | undefined;
}

/** An agent that is about to exit answers a dial with this text: it has not been taken, another agent may. */
export const drainingAnswer = "agent is draining";

/**
 * One connected agent: its link and the tunnels on it. Connection ids belong to the link, so that agents with one id,
 * or one agent connected twice, never meet each other's tunnels.
 */
export class Backend implements PacketStreamHandler, TunnelLink {
  readonly info: AgentInfo;
  readonly #link: PacketStream;
  readonly #writer: FairWriter;
  readonly #options: BackendOptions;
  readonly #windows: boolean;
  readonly #reading: ReadGate<ServerTunnel>;
  readonly #pace: LinkPace;
  readonly #dialing = new Map<bigint, PendingDial>();
  readonly #tunnels = new Map<ConnectId, ServerTunnel>();
  /** On a link without windows: tunnels whose client holds the link back, and when they are given up. */
  readonly #stalled = new Map<ServerTunnel, TimeLimit>();
  /** Tunnels that were closed from here and wait for the agent's answer, and when they are forgotten without one. */
  readonly #closing = new Map<ServerTunnel, TimeLimit>();
  #lastUnknown: ConnectId = 0;
  #draining = false;
  #closed = false;

  constructor(info: AgentInfo, link: PacketStream, options: BackendOptions) {
    this.info = info;
    this.#link = link;
    this.#writer = new FairWriter(link, () => performance.now());
    this.#options = options;
    this.#windows = info.features.has("window");
    this.#reading = new ReadGate(link);
    this.#pace = { now: () => performance.now(), roundTripMs: () => link.roundTripMs };
  }

  /** Starts to serve the link. */
  start(): void {
    this.#link.start(this);
    if (this.#windows) this.#link.measure();
  }

  /** The agent asked to be spared new dials. */
  get draining(): boolean {
    return this.#draining;
  }

  /** A client holds this link back, so that new tunnels on it would wait. */
  get stalled(): boolean {
    return this.#stalled.size > 0;
  }

  get pendingDials(): number {
    return this.#dialing.size;
  }

  get tunnelCount(): number {
    return this.#tunnels.size;
  }

  /** Bytes of all its tunnels that wait for a client or for the agent. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const tunnel of this.#tunnels.values()) bytes += tunnel.queuedBytes;
    return bytes;
  }

  get halfCloses(): boolean {
    return this.info.features.has("half-close");
  }

  /** Asks the agent to connect; the client is told of the outcome, never before this returns. */
  dial(tunnel: ServerTunnel): void {
    tunnel.assign(this);
    const { dialTimeoutMs } = this.#options;
    const limit = dialTimeoutMs === 0 ? undefined : timeLimit(dialTimeoutMs, () => this.#dialTimedOut(tunnel));
    this.#dialing.set(tunnel.id, { tunnel, limit });
    this.#writer.sendPacket(dialRequest(tunnel.target, tunnel.id));
  }

  /** Tells the agent that this server takes no new dials for it to expect, before the server goes away. */
  sendDrain(): void {
    this.#writer.sendPacket(drain());
  }

  /** Ends the link in order; tunnels on it end too. */
  close(error?: Error): void {
    this.#link.end(error);
  }

  /** Ends every tunnel, in order towards the agent; the clients are told `error`. */
  closeTunnels(error: string): void {
    for (const { tunnel } of [...this.#dialing.values()]) {
      tunnel.linkLost({ reason: "backend_close", message: error });
    }
    for (const tunnel of [...this.#tunnels.values()]) tunnel.abort("shutdown", "server", error);
  }

  // ---- PacketStreamHandler: from the agent ----

  onData(id: ConnectId, payload: Uint8Array): void {
    const tunnel = this.#tunnels.get(id);
    if (tunnel !== undefined) return tunnel.deliver(payload);
    // One request for all packets of a connection that were under way, and for all pieces of a packet.
    if (id === 0 || id === this.#lastUnknown) return;
    this.#lastUnknown = id;
    this.#writer.sendPacket(closeRequest(id));
  }

  onPacket(packet: Packet): void {
    const { payload } = packet;
    switch (payload.case) {
      case "dialResponse":
        if (packet.type !== PacketType.DIAL_RSP) break;
        this.#onDialResponse(payload.value.random, connectId(payload.value.connectID), payload.value.error);
        return;
      case "closeDial":
        if (packet.type !== PacketType.DIAL_CLS) break;
        this.#takeDial(payload.value.random)?.dialFailed({
          reason: "backend_close",
          message: "agent closed the dial",
        });
        return;
      case "closeResponse":
        if (packet.type !== PacketType.CLOSE_RSP) break;
        this.#tunnels.get(connectId(payload.value.connectID))?.agentClosed(payload.value.error);
        return;
      case "closeWrite":
        if (packet.type !== PacketType.CLOSE_WRITE) break;
        this.#tunnels.get(connectId(payload.value.connectID))?.agentEnded();
        return;
      case "window":
        if (packet.type !== PacketType.WINDOW) break;
        this.#tunnels.get(connectId(payload.value.connectID))?.granted(Number(payload.value.bytes));
        return;
    }
    if (packet.type === PacketType.DRAIN) {
      if (!this.#draining) log.info("agent {agentId} is draining", { agentId: this.info.agentId });
      this.#draining = true;
      return;
    }
    // Without its payload, or of a kind that no agent sends: packets of later versions are not for this server.
    log.debug("ignored a packet from agent {agentId}", {
      agentId: this.info.agentId,
      type: packetTypeName(packet.type),
    });
  }

  onDrain(): void {
    this.#writer.onDrain();
  }

  onEnd(): void {
    this.#link.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    const why = end.kind === "failed" ? end.error.message : "agent closed the link";
    const failure: DialFailure = { reason: "backend_close", message: `agent link lost: ${why}` };
    this.#options.onClosed(this, end);
    for (const id of [...this.#dialing.keys()]) {
      const tunnel = this.#takeDial(id);
      if (tunnel !== undefined && !this.#options.redial(tunnel, this)) tunnel.linkLost(failure);
    }
    for (const tunnel of [...this.#tunnels.values()]) tunnel.linkLost(failure);
  }

  // ---- TunnelLink: from the tunnels ----

  sendCloseRequest(id: ConnectId): void {
    this.#writer.sendPacket(closeRequest(id));
  }

  sendCloseDial(tunnelId: bigint): void {
    this.#writer.sendPacket(closeDial(tunnelId));
  }

  sendCredit(id: ConnectId, bytes: number): void {
    this.#writer.sendPacket(windowCredit(id, bytes));
  }

  clientHolds(tunnel: ServerTunnel, bytes: number): void {
    if (bytes === 0) {
      this.#unstall(tunnel);
      return;
    }
    if (bytes < serverLimits.legacyHeldBytes || this.#stalled.has(tunnel)) return;
    this.#reading.close(tunnel);
    this.#stalled.set(tunnel, timeLimit(serverLimits.legacyStallMs, () => this.#giveUp(tunnel)));
  }

  closing(tunnel: ServerTunnel): void {
    if (!this.#closing.has(tunnel)) this.#awaitAnswer(tunnel);
  }

  forget(tunnel: ServerTunnel): void {
    this.#takeDial(tunnel.id);
    if (this.#tunnels.get(tunnel.connectId) === tunnel) this.#tunnels.delete(tunnel.connectId);
    this.#unstall(tunnel);
    this.#closing.get(tunnel)?.lift();
    this.#closing.delete(tunnel);
  }

  /** The request for the close goes out behind the client's last bytes: while some of them go out, it is waited for. */
  #awaitAnswer(tunnel: ServerTunnel): void {
    const before = tunnel.queuedBytes;
    const look = () => tunnel.queuedBytes < before ? this.#awaitAnswer(tunnel) : tunnel.unanswered();
    this.#closing.set(tunnel, timeLimit(serverLimits.closeAnswerMs, look));
  }

  #unstall(tunnel: ServerTunnel): void {
    const limit = this.#stalled.get(tunnel);
    if (limit === undefined) return;
    limit.lift();
    this.#stalled.delete(tunnel);
    this.#reading.open(tunnel);
  }

  #giveUp(tunnel: ServerTunnel): void {
    log.warn(
      "tunnel {tunnel} to {address} is closed: its client did not read for {seconds} s and held its agent back",
      {
        tunnel: tunnel.id,
        address: tunnel.target.address,
        seconds: serverLimits.legacyStallMs / 1000,
      },
    );
    this.#unstall(tunnel);
    tunnel.abort("stalled", "server", "client did not read, and its agent has no flow control");
  }

  // ---- dials ----

  #onDialResponse(random: bigint, id: ConnectId, error: string): void {
    const tunnel = this.#takeDial(random);
    if (error !== "") {
      if (tunnel === undefined) return;
      if (error === drainingAnswer) {
        this.#draining = true;
        if (this.#options.redial(tunnel, this)) return;
      }
      tunnel.dialFailed({ reason: "error_response", message: error });
      return;
    }
    if (tunnel === undefined) {
      // Nobody waits any more: what the agent has opened must be closed again. An open tunnel's id is a repeated answer.
      this.#options.events.dialFailed("unrecognized_response");
      if (id !== 0 && !this.#tunnels.has(id)) this.#writer.sendPacket(closeRequest(id));
      return;
    }
    if (id === 0 || this.#tunnels.has(id)) {
      log.warn("agent {agentId} answered a dial with connection id {id}, which is zero or taken", {
        agentId: this.info.agentId,
        id,
      });
      tunnel.dialFailed({ reason: "unrecognized_response", message: `agent chose connection id ${id}, zero or taken` });
      return;
    }
    this.#lastUnknown = 0;
    this.#tunnels.set(id, tunnel);
    if (!tunnel.dialed(id, this.#flow(id, tunnel))) this.#tunnels.delete(id);
  }

  #flow(id: ConnectId, tunnel: ServerTunnel): TunnelFlow {
    const sending = new SendWindow(this.#windows ? flowLimits.initialWindowBytes : Infinity);
    const lane = new Lane(this.#writer, id, sending, tunnel);
    return this.#windows
      ? { lane, sending, receiving: new ReceiveWindow(this.#options.growth, this.#pace) }
      : { lane, sending };
  }

  #dialTimedOut(tunnel: ServerTunnel): void {
    if (this.#takeDial(tunnel.id) === undefined) return;
    this.#writer.sendPacket(closeDial(tunnel.id));
    tunnel.dialFailed({ reason: "backend_dial_timeout", message: "timed out waiting for backend dial" });
  }

  #takeDial(id: bigint): ServerTunnel | undefined {
    const pending = this.#dialing.get(id);
    if (pending === undefined) return undefined;
    this.#dialing.delete(id);
    pending.limit?.lift();
    return pending.tunnel;
  }
}
