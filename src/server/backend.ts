import { getLogger } from "@logtape/logtape";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../tunnel/packet_stream.ts";
import { ReadGate } from "../tunnel/read_gate.ts";
import { type ConnectId, connectId } from "../wire/connect_id.ts";
import type { AgentIdentifiers } from "../wire/identifiers.ts";
import { closeDial, closeRequest, dialRequest, type DialTarget, type Packet, PacketType } from "../wire/packet.ts";
import type { DialFailure } from "./dial_outcome.ts";
import { ServerTunnel, type TunnelClient, type TunnelLink } from "./tunnel.ts";

const log = getLogger(["server", "backend"]);

/** Who an agent said it is. */
export interface AgentInfo {
  readonly agentId: string;
  readonly identifiers: AgentIdentifiers;
}

/** What a backend needs beyond its link. */
export interface BackendOptions {
  /** Milliseconds that an agent may take to answer a dial; 0 waits for ever. */
  readonly dialTimeoutMs: number;
  /** Called once, when the link is gone and every tunnel on it has been told. */
  readonly onClosed: (backend: Backend) => void;
}

let lastTunnelId = 0n;

/**
 * One connected agent: its link and the tunnels on it. Connection ids belong to the link, so that agents with one id,
 * or one agent connected twice, never meet each other's tunnels.
 */
export class Backend implements PacketStreamHandler, TunnelLink {
  readonly info: AgentInfo;
  readonly #link: PacketStream;
  readonly #options: BackendOptions;
  readonly #reading: ReadGate<ServerTunnel>;
  readonly #dialing = new Map<bigint, { tunnel: ServerTunnel; timer: ReturnType<typeof setTimeout> | undefined }>();
  readonly #tunnels = new Map<ConnectId, ServerTunnel>();
  /** Tunnels whose client waits for the link to take data again. */
  readonly #waiting = new Set<ServerTunnel>();
  #draining = false;
  #closed = false;

  constructor(info: AgentInfo, link: PacketStream, options: BackendOptions) {
    this.info = info;
    this.#link = link;
    this.#options = options;
    this.#reading = new ReadGate(link);
  }

  /** Starts to serve the link. */
  start(): void {
    this.#link.start(this);
  }

  /** The agent asked to be spared new dials. */
  get draining(): boolean {
    return this.#draining;
  }

  get pendingDials(): number {
    return this.#dialing.size;
  }

  get tunnelCount(): number {
    return this.#tunnels.size;
  }

  /** Asks the agent to connect; the client is told of the outcome, never before this returns. */
  dial(target: DialTarget, client: TunnelClient): ServerTunnel {
    const id = ++lastTunnelId;
    const tunnel = new ServerTunnel(id, target, this, client);
    const limit = this.#options.dialTimeoutMs;
    const timer = limit === 0 ? undefined : setTimeout(() => this.#dialTimedOut(tunnel), limit);
    this.#dialing.set(id, { tunnel, timer });
    this.#link.sendPacket(dialRequest(target, id));
    return tunnel;
  }

  /** Ends the link in order; tunnels on it end too. */
  close(error?: Error): void {
    this.#link.end(error);
  }

  // ---- PacketStreamHandler: from the agent ----

  onData(id: ConnectId, payload: Uint8Array): void {
    const tunnel = this.#tunnels.get(id);
    if (tunnel !== undefined) tunnel.deliver(payload);
    else if (id !== 0) this.#link.sendPacket(closeRequest(id));
  }

  onPacket(packet: Packet): void {
    const { payload } = packet;
    switch (packet.type) {
      case PacketType.DIAL_RSP:
        if (payload.case === "dialResponse") {
          this.#onDialResponse(payload.value.random, connectId(payload.value.connectID), payload.value.error);
        }
        break;
      case PacketType.DIAL_CLS:
        if (payload.case === "closeDial") {
          const tunnel = this.#takeDial(payload.value.random);
          tunnel?.dialFailed({ reason: "backend_close", message: "agent closed the dial" });
        }
        break;
      case PacketType.CLOSE_RSP:
        if (payload.case === "closeResponse") {
          this.#tunnels.get(connectId(payload.value.connectID))?.agentClosed(payload.value.error);
        }
        break;
      case PacketType.DRAIN:
        this.#draining = true;
        log.info("agent {agentId} is draining", { agentId: this.info.agentId });
        break;
      default:
        // Nothing else comes from an agent; packets of later versions are not for this server.
        log.debug("ignored packet of type {type} from agent", { type: packet.type });
    }
  }

  onDrain(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const tunnel of waiting) tunnel.linkWritable();
  }

  onEnd(): void {
    this.#link.end();
  }

  onClose(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    const why = end.kind === "failed" ? end.error.message : "agent closed the link";
    const failure: DialFailure = { reason: "backend_close", message: `agent link lost: ${why}` };
    for (const { tunnel } of [...this.#dialing.values()]) tunnel.linkLost(failure);
    for (const tunnel of [...this.#tunnels.values()]) tunnel.linkLost(failure);
    this.#options.onClosed(this);
  }

  // ---- TunnelLink: from the tunnels ----

  sendData(tunnel: ServerTunnel, id: ConnectId, payload: Uint8Array): boolean {
    if (this.#link.sendData(id, payload)) return true;
    this.#waiting.add(tunnel);
    return false;
  }

  sendCloseRequest(id: ConnectId): void {
    this.#link.sendPacket(closeRequest(id));
  }

  sendCloseDial(tunnelId: bigint): void {
    this.#link.sendPacket(closeDial(tunnelId));
  }

  holdReading(tunnel: ServerTunnel, hold: boolean): void {
    if (hold) this.#reading.close(tunnel);
    else this.#reading.open(tunnel);
  }

  forget(tunnel: ServerTunnel): void {
    this.#takeDial(tunnel.id);
    if (this.#tunnels.get(tunnel.connectId) === tunnel) this.#tunnels.delete(tunnel.connectId);
    this.#waiting.delete(tunnel);
    this.#reading.open(tunnel);
  }

  // ---- dials ----

  #onDialResponse(random: bigint, id: ConnectId, error: string): void {
    const tunnel = this.#takeDial(random);
    if (error !== "") {
      tunnel?.dialFailed({ reason: "error_response", message: error });
      return;
    }
    if (tunnel === undefined) {
      // Nobody waits any more: what the agent has opened must be closed again.
      if (id !== 0) this.#link.sendPacket(closeRequest(id));
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
    this.#tunnels.set(id, tunnel);
    if (!tunnel.dialed(id)) this.#tunnels.delete(id);
  }

  #dialTimedOut(tunnel: ServerTunnel): void {
    if (this.#takeDial(tunnel.id) === undefined) return;
    this.#link.sendPacket(closeDial(tunnel.id));
    tunnel.dialFailed({ reason: "backend_dial_timeout", message: "timed out waiting for backend dial" });
  }

  #takeDial(id: bigint): ServerTunnel | undefined {
    const pending = this.#dialing.get(id);
    if (pending === undefined) return undefined;
    this.#dialing.delete(id);
    clearTimeout(pending.timer);
    return pending.tunnel;
  }
}
