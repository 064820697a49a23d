import type { StreamEnd } from "../streams/packet_stream.ts";
import type { PacketCounts } from "../wire/packet_counts.ts";
import type { DialFailure } from "./dialler.ts";
import type { Endpoint, EndpointCloseInitiator } from "./endpoint.ts";
import type { LinkServer } from "./link_context.ts";
import type { ServerConnection } from "./servers/server_connection.ts";

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

/**
 * Why a dial has no outcome at the destination:
 * - `draining`: it came when the link was about to be closed
 * - `too_many_dials`: the link had as many in flight as it may have
 * - `given_up`: the client gave it up, or the link was lost
 */
export type DialDropReason = "draining" | "too_many_dials" | "given_up";

/**
 * What the agent's parts report as it happens. Everything else is read from {@link AgentGauges}. Who is told gets what there
 * is, and nothing is made for it.
 */
export interface AgentEvents {
  /** A link is about to be served. */
  linkOpened(connection: ServerConnection): void;
  /** @param stopped the agent is closing its links */
  linkClosed(connection: ServerConnection, end: StreamEnd, stopped: boolean): void;
  /** No link came of an attempt. @param address where the server was tried */
  linkFailed(address: string, message: string): void;
  /** @param message what the client reads, where it still waits @param random the client's number for its dial */
  dialDropped(
    reason: DialDropReason,
    message: string,
    seconds: number,
    random: bigint,
    destination: string,
    server: LinkServer,
  ): void;
  /** @param seconds that a successful dial to a destination took */
  endpointDialed(seconds: number, endpoint: Endpoint, server: LinkServer): void;
  /** @param message what the client reads @param seconds that the dial took */
  endpointDialFailed(
    reason: DialFailure["reason"],
    message: string,
    seconds: number,
    endpoint: Endpoint,
    server: LinkServer,
  ): void;
  /** @param seconds that the connection lived @param initiator which side began the end */
  endpointClosed(
    seconds: number,
    reason: EndpointCloseReason,
    initiator: EndpointCloseInitiator,
    endpoint: Endpoint,
    server: LinkServer,
  ): void;
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
  linkOpened: () => {},
  linkClosed: () => {},
  linkFailed: () => {},
  dialDropped: () => {},
  endpointDialed: () => {},
  endpointDialFailed: () => {},
  endpointClosed: () => {},
  streamFailed: () => {},
};
