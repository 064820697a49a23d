import { getLogger } from "@logtape/logtape";
import { fault } from "../faults/fault.ts";
import { guard } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../streams/packet_stream.ts";
import type { GrowthBudget } from "../streams/growth_budget.ts";
import { Session } from "../mux/session.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import {
  closeDial,
  closeRequest,
  dialRequest,
  drain,
  drainingAnswer,
  type Packet,
  PacketType,
  packetTypeName,
} from "../wire/packet.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { DialFailure } from "./dial_outcome.ts";
import { type AgingLink, limitLinkAge } from "./link_age.ts";
import type { ServerEvents } from "./server_events.ts";
import { serverLimits } from "./server_limits.ts";
import type { ServerTunnel } from "./tunnel.ts";

const log = getLogger(["server", "backend"]);

/** What a backend needs beyond its link. */
export interface BackendOptions {
  /** Milliseconds that an agent may take to answer a dial; 0 waits for ever. */
  readonly dialTimeoutMs: number;
  /** How old the link may become, in milliseconds; 0: as old as it likes. */
  readonly maxLinkAgeMs: number;
  readonly clock: Clock;
  readonly events: ServerEvents;
  readonly growth: GrowthBudget;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Moves a dial that this backend did not take to another one; false when there is none. */
  readonly redial: (tunnel: ServerTunnel, failed: Backend) => boolean;
  /** Called once, when the link is gone and every tunnel on it has been notified. */
  readonly onClosed: (backend: Backend, end: StreamEnd) => void;
}

/** An agent's answer to a dial, as it comes in a packet. */
interface DialAnswer {
  readonly random: bigint;
  readonly connectID: bigint;
  readonly error: string;
  readonly resolved: string;
}

/**
 * One connected agent: its link and the tunnels on it. Connection ids belong to the link, so that agents with one id,
 * or one agent connected twice, never meet each other's tunnels. A packet of one tunnel that makes something throw ends
 * that tunnel; only what belongs to none ends the link.
 */
export class Backend implements PacketStreamHandler, AgingLink {
  readonly place = "link";
  readonly info: AgentInfo;
  /** Its connection, for its kind and its round trip. */
  readonly link: PacketStream;
  readonly #session: Session<ServerTunnel>;
  readonly #options: BackendOptions;
  /** Dials that the agent has not answered yet, by their numbers. */
  readonly #dials = new Map<bigint, ServerTunnel>();
  readonly #connectedAt: number;
  /** Of tunnels that have ended. */
  #sentBytes = 0;
  #receivedBytes = 0;
  #draining = false;
  #closed = false;
  #cancelAge: () => void = () => {};

  constructor(info: AgentInfo, link: PacketStream, options: BackendOptions) {
    this.info = info;
    this.link = link;
    this.#options = options;
    this.#connectedAt = options.clock.now();
    this.#session = new Session(link, {
      windows: info.features.has("window"),
      returns: info.features.has("window-return"),
      now: options.clock.now,
      after: options.clock.after,
      growth: options.growth,
      gathers: true,
      stallLimits: { heldBytes: serverLimits.legacyHeldBytes, graceMs: serverLimits.legacyStallMs },
      closeUnknown: closeRequest,
    });
  }

  /** Starts to serve the link. */
  start(): void {
    this.link.start(this);
    this.#session.start();
    const { maxLinkAgeMs, clock, random } = this.#options;
    if (maxLinkAgeMs > 0 && !this.#closed) this.#cancelAge = limitLinkAge(maxLinkAgeMs, this, clock, random);
  }

  /** Nothing is on it: no tunnel, no dial, no close that waits for its answer. */
  get idle(): boolean {
    return this.#session.size + this.#dials.size === 0;
  }

  retire(): void {
    this.#draining = true;
  }

  get seconds(): number {
    return (this.#options.clock.now() - this.#connectedAt) / 1000;
  }

  /** Bytes of all its tunnels, those that have ended included. */
  get bytes(): { readonly sent: number; readonly received: number } {
    let [sent, received] = [this.#sentBytes, this.#receivedBytes];
    for (const { bytes } of this.#session.owners()) [sent, received] = [sent + bytes.sent, received + bytes.received];
    return { sent, received };
  }

  /** Its open tunnels, those included that are closing. */
  tunnels(): IterableIterator<ServerTunnel> {
    return this.#session.owners();
  }

  /** Dials that the agent has not answered. */
  dials(): Iterable<ServerTunnel> {
    return this.#dials.values();
  }

  /** The agent asked to be spared new dials. */
  get draining(): boolean {
    return this.#draining;
  }

  /** A client holds this link back, so that new tunnels on it would wait. */
  get stalled(): boolean {
    return this.#session.stalls.stalled;
  }

  get pendingDials(): number {
    return this.#dials.size;
  }

  get tunnelCount(): number {
    return this.#session.size;
  }

  /** Bytes of all its tunnels that wait for a client or for the agent. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const tunnel of this.#session.owners()) bytes += tunnel.queuedBytes;
    return bytes;
  }

  get halfCloses(): boolean {
    return this.info.features.has("half-close");
  }

  /** Asks the agent to connect; the client learns the outcome, never before this returns. */
  dial(tunnel: ServerTunnel): void {
    tunnel.assign(this, this.#options.dialTimeoutMs);
    this.#dials.set(tunnel.id, tunnel);
    this.#session.sendPacket(dialRequest(tunnel.target, tunnel.id, this.info.features.has("trace-context")));
  }

  /** Informs the agent that this server will end and sends it no new dials. */
  sendDrain(): void {
    this.#session.sendPacket(drain());
  }

  /** Ends the link in order; tunnels on it end too. */
  close(error?: Error): void {
    this.link.end(error);
  }

  /** Ends every tunnel, in order towards the agent; the clients receive `error`. */
  closeTunnels(error: string): void {
    for (const tunnel of [...this.#dials.values()]) {
      guard(tunnel, () => tunnel.linkLost({ reason: "backend_close", message: error }));
    }
    for (const tunnel of [...this.#session.owners()]) {
      guard(tunnel, () => tunnel.abort("shutdown", "server", error));
    }
  }

  /** {@link Owner}: the link's own state cannot be trusted any more. */
  faulted(error: Error): void {
    this.link.destroy(error);
  }

  // ---- PacketStreamHandler: from the agent ----

  onData(id: ConnectId, payload: Uint8Array): void {
    this.#session.deliver(id, payload);
  }

  onPacket(packet: Packet): void {
    const { payload } = packet;
    // Looked up before: what is in the tables afterwards is what the exception left there.
    const tunnel = this.#tunnelOf(payload);
    if (tunnel === undefined) return this.#onPacket(packet);
    try {
      this.#onPacket(packet);
    } catch (error) {
      fault(tunnel, error);
    }
  }

  #tunnelOf(payload: Packet["payload"]): ServerTunnel | undefined {
    switch (payload.case) {
      case "dialResponse":
      case "closeDial":
        return this.#dials.get(payload.value.random);
      case "closeResponse":
      case "closeWrite":
      case "window":
        return this.#session.owner(connectId(payload.value.connectID));
      default:
        return undefined;
    }
  }

  #onPacket(packet: Packet): void {
    const { payload } = packet;
    switch (payload.case) {
      case "dialResponse":
        if (packet.type !== PacketType.DIAL_RSP) break;
        this.#onDialResponse(payload.value);
        return;
      case "closeDial":
        if (packet.type !== PacketType.DIAL_CLS) break;
        this.#dials.get(payload.value.random)?.dialFailed({
          reason: "backend_close",
          message: "agent closed the dial",
        });
        return;
      case "closeResponse":
        if (packet.type !== PacketType.CLOSE_RSP) break;
        this.#session.owner(connectId(payload.value.connectID))?.agentClosed(payload.value.error);
        return;
      case "closeWrite":
        if (packet.type !== PacketType.CLOSE_WRITE) break;
        this.#session.owner(connectId(payload.value.connectID))?.agentEnded();
        return;
      case "window":
        if (packet.type !== PacketType.WINDOW) break;
        this.#session.granted(connectId(payload.value.connectID), Number(payload.value.bytes));
        return;
    }
    if (packet.type === PacketType.DRAIN) {
      if (!this.#draining) log.info("agent {agentId} is draining", { agentId: this.info.agentId });
      this.#draining = true;
      return;
    }
    // Without its payload, or of a kind that no agent sends: packets of later versions are not for this server.
    const type = packetTypeName(packet.type);
    log.debug("ignored a packet from agent {agentId}", { agentId: this.info.agentId, type });
  }

  onDrain(): void {
    this.#session.scheduler.onDrain();
  }

  onEnd(): void {
    this.link.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelAge();
    const why = end.kind === "failed" ? end.error.message : "agent closed the link";
    const failure: DialFailure = { reason: "backend_close", message: `agent link lost: ${why}` };
    guard(this, () => this.#options.onClosed(this, end));
    for (const tunnel of [...this.#dials.values()]) {
      this.#dials.delete(tunnel.id);
      guard(tunnel, () => {
        if (!this.#options.redial(tunnel, this)) tunnel.linkLost(failure);
      });
    }
    for (const tunnel of [...this.#session.owners()]) guard(tunnel, () => tunnel.linkLost(failure));
  }

  // ---- from the tunnels ----

  sendCloseDial(tunnelId: bigint): void {
    this.#session.sendPacket(closeDial(tunnelId));
  }

  /** The tunnel is closed and can be forgotten. */
  forget(tunnel: ServerTunnel): void {
    this.#dials.delete(tunnel.id);
    if (this.#session.owner(tunnel.connectId) === tunnel) {
      this.#session.forget(tunnel.connectId);
      this.#sentBytes += tunnel.bytes.sent;
      this.#receivedBytes += tunnel.bytes.received;
    }
  }

  // ---- dials ----

  #onDialResponse({ random, connectID, error, resolved }: DialAnswer): void {
    const id = connectId(connectID);
    const tunnel = this.#dials.get(random);
    this.#dials.delete(random);
    if (error !== "") {
      if (tunnel === undefined) return;
      if (error === drainingAnswer) {
        this.#draining = true;
        if (this.#options.redial(tunnel, this)) return;
      }
      return tunnel.dialFailed({ reason: "error_response", message: error });
    }
    if (tunnel === undefined) {
      // Nobody waits any more: what the agent has opened must be closed again. An open tunnel's id is a repeated answer.
      this.#options.events.dialFailed("unrecognized_response");
      if (id !== 0 && this.#session.owner(id) === undefined) this.#session.sendPacket(closeRequest(id));
      return;
    }
    if (id === 0 || this.#session.owner(id) !== undefined) {
      log.warn("agent {agentId} answered a dial with connection id {id}, which is zero or taken", {
        agentId: this.info.agentId,
        id,
      });
      tunnel.dialFailed({ reason: "unrecognized_response", message: `agent chose connection id ${id}, zero or taken` });
      return;
    }
    if (!tunnel.dialed(this.#session.open(id, tunnel), resolved)) this.#session.forget(id);
  }
}
