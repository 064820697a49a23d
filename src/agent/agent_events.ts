import type { PacketCounts } from "../wire/packet_counts.ts";

/** A hop of a packet stream as metrics label it, seen from the agent. */
export type AgentSegment = "from_agent" | "to_agent";

/**
 * Why a tunnel ended, seen from its destination's side:
 * - `closed`: in order, by whoever began
 * - `reset`: the connection to the destination broke, or the server broke a rule of the protocol
 * - `link_lost`: the link to the server is gone
 * - `stalled`: the destination did not read for longer than a link without windows can be held
 * - `shutdown`: the agent is stopping
 * - `fault`: an exception of this program
 */
export type EndpointCloseReason = "closed" | "reset" | "link_lost" | "stalled" | "shutdown" | "fault";

/** What the agent's parts report as it happens: counters and histograms. Everything else is read from {@link AgentGauges}. */
export interface AgentEvents {
  /** @param seconds that a successful dial to a destination took */
  endpointDialed(seconds: number): void;
  endpointDialFailed(
    reason: "timeout" | "not_allowed" | "too_many_names" | "unknown",
    dial: { readonly address: string; readonly message: string },
  ): void;
  /** @param seconds that the connection lived @param initiator which side began the end */
  endpointClosed(seconds: number, reason: EndpointCloseReason, initiator: "client" | "destination" | "agent"): void;
  /** A link's stream failed. @param code gRPC code name, such as `Unavailable` @param packetType or `Unknown` on receipt */
  streamFailed(segment: AgentSegment, code: string, packetType: string): void;
}

/** What the agent's tables hold now, read when metrics are scraped. */
export interface AgentGauges {
  /** Links that are up. */
  readonly serverConnections: number;
  /** Servers that the agent knows of, as it heard last. */
  readonly knownServerCount: number;
  readonly endpointConnections: number;
  readonly pendingDials: number;
  /** Bytes that this process holds for peers that have not taken them yet. */
  readonly queuedBytes: number;
  /** The links now up. */
  servers(): Iterable<{ readonly serverId: string; readonly tunnels: number }>;
  readonly packets: Readonly<Record<AgentSegment, PacketCounts>>;
}

/** Events that nobody asked for. */
export const noAgentEvents: AgentEvents = {
  endpointDialed: () => {},
  endpointDialFailed: () => {},
  endpointClosed: () => {},
  streamFailed: () => {},
};
