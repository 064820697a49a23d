import type { StreamEnd } from "../streams/packet_stream.ts";
import type { GrowthBudget } from "../streams/growth_budget.ts";
import type { Feature } from "../wire/metadata.ts";
import type { AgentEvents } from "./agent_events.ts";
import type { AgentLimits } from "./agent_limits.ts";
import type { AgentTracer } from "./dial_span.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Dialler } from "./dialler.ts";
import type { Link } from "./link.ts";

/** What every link of an agent shares. */
export interface LinkContext {
  readonly dial: Dialler;
  readonly clock: Clock;
  readonly limits: AgentLimits;
  readonly events: AgentEvents;
  readonly budget: GrowthBudget;
  /** Absent: nothing is traced. */
  readonly tracer?: AgentTracer;
}

/** What a link reports to its owner. */
export interface LinkOwner {
  /** The link became idle: no tunnel, no dial, nothing left to write. Called also when the link is gone. */
  linkIdle(link: Link): void;
  /** Called once, when the link is gone and everything on it has been notified. */
  linkClosed(link: Link, end: StreamEnd): void;
}

/** The server at a link's other end. */
export interface LinkServer {
  readonly serverId: string;
  readonly features: ReadonlySet<Feature>;
}
