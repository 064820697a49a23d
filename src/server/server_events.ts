import { Code, ConnectError } from "@connectrpc/connect";
import type { PacketCounts } from "../wire/packet_counts.ts";
import type { StreamEnd } from "../streams/packet_stream.ts";
import type { DialTarget } from "../wire/packet.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { Backend } from "./backend.ts";
import type { DialFailureReason } from "./dial_outcome.ts";
import type { ProbeReport } from "./probes/destination_probe.ts";
import type { StrategyName } from "./strategies.ts";
import type { ServerTunnel } from "./tunnel.ts";
import type { TunnelClient } from "./tunnel_client.ts";

/** A hop of a packet stream as metrics label it, seen from the server. */
export type ServerSegment = "from_client" | "to_client" | "from_agent" | "to_agent";

/** What a peer of the server is. */
export type PeerRole = "client" | "agent";

/** Who began the end of a tunnel. */
export type CloseInitiator = "client" | "agent" | "server";

/**
 * Why a tunnel ended:
 * - `closed`: in order, by whoever began
 * - `reset`: a side broke its connection, or the agent reported an error
 * - `link_lost`: the link to the agent is gone
 * - `mismatch`: the client sent packets of a connection that is not its own
 * - `stalled`: the client did not read for longer than a legacy peer can be held
 * - `shutdown`: the server is stopping
 * - `fault`: an exception of this program
 */
export type CloseReason = "closed" | "reset" | "link_lost" | "mismatch" | "stalled" | "shutdown" | "fault";

/** For what a peer was refused. */
export type PeerRefusal = "name" | "identifier";

/** A dial, as far as it came. A tunnel is its own. */
export interface ServerDial {
  /** As in the logs of server and agent. */
  readonly id: bigint;
  readonly target: DialTarget;
  readonly client: TunnelClient;
  /** The agent that was asked last; undefined: none was. */
  readonly agent: AgentInfo | undefined;
  /** Since it began. */
  readonly seconds: number;
}

/**
 * What the server's parts report as it happens. Everything else is read from {@link ServerGauges}. Who is told gets what
 * there is, and nothing is made for it.
 */
export interface ServerEvents {
  agentConnected(backend: Backend): void;
  /** Its tunnels have not been told yet. */
  agentDisconnected(backend: Backend, end: StreamEnd): void;
  /** A client asks for a destination. */
  dialing(client: TunnelClient): void;
  /**
   * @param message what the client reads
   * @param dial absent, as the message is, where nobody waits for it any more
   */
  dialFailed(reason: DialFailureReason, message?: string, dial?: ServerDial): void;
  /** @param seconds from the dial's start to the agent's answer */
  dialed(seconds: number, dial: ServerDial): void;
  /**
   * @param seconds from the agent's answer to the end
   * @param message what the client reads; empty where there is nothing to say
   */
  tunnelClosed(
    seconds: number,
    reason: CloseReason,
    initiator: CloseInitiator,
    tunnel: ServerTunnel,
    message: string,
  ): void;
  /** @param seconds that a frontend kept bytes waiting; 0 for bytes that it took at once */
  frontendWritten(seconds: number): void;
  /** A stream ended in an error. @param code gRPC code name, such as `Canceled` @param packetType or `Unknown` on receipt */
  streamFailed(segment: ServerSegment, code: string, packetType: string): void;
  /** A peer was refused for who it is: its certificate's name, or an identifier that it claims and does not prove. */
  peerRefused(role: PeerRole, reason: PeerRefusal): void;
}

/**
 * The code under which the end of a peer's stream is counted. A server of the original knows of a peer that is gone only
 * that its call was canceled, and so do the rules that watch its metrics.
 * @returns name of a gRPC code
 */
export function receiptCode(error: unknown): string {
  const { code } = ConnectError.from(error);
  return Code[code === Code.Unavailable ? Code.Canceled : code] ?? "Unknown";
}

/** What the server's tables hold now, read when metrics are scraped. */
export interface ServerGauges {
  /** Open calls of the packet services. */
  readonly proxyCalls: number;
  readonly connectCalls: number;
  /** Links of agents that have ever been up. */
  readonly linksOpened: number;
  /** CONNECT requests in progress, open tunnels included. */
  readonly connectRequests: number;
  /** Without those of probes; so for tunnels. */
  readonly pendingDials: number;
  readonly establishedTunnels: number;
  /** Streams from clients, and from agents, whose reading is paused now. */
  readonly heldClientStreams: number;
  readonly heldAgentStreams: number;
  /** Bytes that this process holds for peers that have not taken them yet. */
  readonly queuedBytes: number;
  /** Distinct identifiers that a strategy could choose now. */
  readyBackends(strategy: StrategyName): number;
  /** Every connected agent stream with its tunnels. */
  backends(): Iterable<{ readonly agentId: string; readonly tunnels: number; readonly draining: boolean }>;
  readonly packets: Readonly<Record<ServerSegment, PacketCounts>>;
  /** Each destination that is probed. */
  probeReports(): Iterable<ProbeReport>;
}

/** Events that nobody asked for. */
export const noServerEvents: ServerEvents = {
  agentConnected: () => {},
  agentDisconnected: () => {},
  dialing: () => {},
  dialFailed: () => {},
  dialed: () => {},
  tunnelClosed: () => {},
  frontendWritten: () => {},
  streamFailed: () => {},
  peerRefused: () => {},
};
