import type { EndpointCloseReason } from "../../agent/agent_events.ts";
import type { EndpointCloseInitiator } from "../../agent/endpoint.ts";
import type { LinkEntry } from "../status/agent_status.ts";
import type { ByteCounts } from "../status/status_page.ts";
import type { EventVocabulary } from "./event_query.ts";
import type { DialOutcome, EventBase, HelloEvent, LostEvent, ReadinessEvent } from "./program_event.ts";

/** An event of a proxy-agent's `/events`. */
export type AgentEvent =
  | HelloEvent
  | LostEvent
  | ReadinessEvent
  | LinkOpenedEvent
  | LinkClosedEvent
  | LinkFailedEvent
  | AgentDialEvent
  | AgentTunnelClosedEvent;

/** What an agent's events can be asked for by; `hello` and `lost` come unasked. */
export const agentEvents = {
  types: ["link-opened", "link-closed", "link-failed", "dial", "tunnel-closed", "readiness"],
  filters: ["server", "destination", "outcome"],
} as const satisfies EventVocabulary;

/** A link to a server is there. */
export interface LinkOpenedEvent extends EventBase<"link-opened">, Pick<LinkEntry, "server" | "address" | "link"> {}

/** A link to a server is gone. */
export interface LinkClosedEvent extends EventBase<"link-closed">, Pick<LinkEntry, "server" | "address" | "link"> {
  /** Since it was opened. */
  readonly seconds: number;
  readonly bytes: ByteCounts;
  /**
   * `lost`: the connection broke, or the server broke it off. `ended`: the server ended it in order. `retired`: another link
   * has taken its place, or there were too many. `shutdown`: the agent is stopping.
   */
  readonly reason: "lost" | "ended" | "retired" | "shutdown";
  readonly message?: string;
}

/** The agent tried to connect to a server, and no link came of it. */
export interface LinkFailedEvent extends EventBase<"link-failed"> {
  readonly address: string;
  readonly message: string;
}

interface OfEndpoint {
  /** As in the logs of server and agent. */
  readonly id: string;
  /** The server's id. */
  readonly server: string;
  readonly destination: string;
}

/** A destination was dialled, and this came of it. */
export interface AgentDialEvent extends EventBase<"dial">, OfEndpoint, DialOutcome {}

/** A tunnel that was open has ended. Its socket may still write its last bytes. */
export interface AgentTunnelClosedEvent extends EventBase<"tunnel-closed">, OfEndpoint {
  /** Since the destination was reached. */
  readonly seconds: number;
  readonly bytes: ByteCounts;
  readonly reason: EndpointCloseReason;
  readonly initiator: EndpointCloseInitiator;
}
