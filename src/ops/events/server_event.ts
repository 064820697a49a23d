import type { CloseInitiator, CloseReason } from "../../server/server_events.ts";
import type { AgentEntry, ClientEntry } from "../status/server_status.ts";
import type { ByteCounts } from "../status/status_page.ts";
import type { EventVocabulary } from "./event_query.ts";
import type { DialOutcome, EventBase, HelloEvent, LostEvent, ReadinessEvent } from "./program_event.ts";

/** An event of a proxy-server's `/events`. */
export type ServerEvent =
  | HelloEvent
  | LostEvent
  | ReadinessEvent
  | AgentConnectedEvent
  | AgentDisconnectedEvent
  | ServerDialEvent
  | ServerTunnelClosedEvent;

/** What a server's events can be asked for by; `hello` and `lost` come unasked. */
export const serverEvents = {
  types: ["agent-connected", "agent-disconnected", "dial", "tunnel-closed", "readiness"],
  filters: ["agent", "client", "destination", "outcome"],
} as const satisfies EventVocabulary;

interface OfAgent extends Pick<AgentEntry, "name" | "address" | "link" | "identifierCount" | "worker"> {
  /** Its id. */
  readonly agent: string;
}

/** An agent came: one link. */
export interface AgentConnectedEvent extends EventBase<"agent-connected">, OfAgent {}

/** A link to an agent is gone. */
export interface AgentDisconnectedEvent extends EventBase<"agent-disconnected">, OfAgent {
  /** Since it was connected. */
  readonly seconds: number;
  readonly bytes: ByteCounts;
  /** Those that ended with it. */
  readonly tunnels: number;
  /** `closed`: in order. `failed`: the connection broke, or was broken off. */
  readonly reason: "closed" | "failed";
  readonly message?: string;
}

interface OfTunnel {
  /** As in the logs of server and agent. */
  readonly id: string;
  readonly client: ClientEntry;
  readonly destination: string;
  /** The agent's id; absent where no agent was asked. */
  readonly agent?: string;
  readonly worker?: number;
}

/** A client asked for a destination, and this came of it. */
export interface ServerDialEvent extends EventBase<"dial">, OfTunnel, DialOutcome {}

/** A tunnel that was open has ended. */
export interface ServerTunnelClosedEvent extends EventBase<"tunnel-closed">, OfTunnel {
  /** Since the agent's answer. */
  readonly seconds: number;
  readonly bytes: ByteCounts;
  readonly reason: CloseReason;
  readonly initiator: CloseInitiator;
  readonly message?: string;
}
