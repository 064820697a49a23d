import type { PeerIdentity } from "../wire/peer_identity.ts";
import type { DialTarget } from "../wire/packet.ts";
import type { AgentInfo } from "./agents/agent_info.ts";
import type { TunnelEnd } from "./audit_trail.ts";
import type { DialFailure } from "./dial_outcome.ts";
import type { TunnelClient } from "./tunnel_client.ts";

/** Writes down what becomes of one dial, for those who asked for it. */
export interface DialRecord {
  /** The agent that the dial goes through; again when it moves to another. */
  assigned(info: AgentInfo): void;
  /** @param resolved the address that was connected to; empty where the agent does not say */
  connected(resolved: string): void;
  failed(failure: DialFailure): void;
  /** The tunnel that the dial has opened has ended. */
  closed(end: TunnelEnd): void;
}

/** A dial in a trace, from its beginning to its outcome. */
export interface DialSpan extends DialRecord {
  /** For the agent's part of it. */
  readonly traceparent: string;
}

/** Traces dials. */
export interface DialTracer {
  /**
   * A dial begins, as a part of the client's trace or of one of its own.
   * @returns undefined where nobody records it
   */
  dial(id: bigint, target: DialTarget, client: TracedClient): DialSpan | undefined;
}

/** What a trace says of a client. */
export type TracedClient = Pick<TunnelClient, "frontend" | "traceparent"> & { readonly peer: PeerIdentity };

/** Two records as one; either may be absent. */
export function bothRecords(one: DialRecord | undefined, other: DialRecord | undefined): DialRecord | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    assigned(info) {
      one.assigned(info);
      other.assigned(info);
    },
    connected(resolved) {
      one.connected(resolved);
      other.connected(resolved);
    },
    failed(failure) {
      one.failed(failure);
      other.failed(failure);
    },
    closed(end) {
      one.closed(end);
      other.closed(end);
    },
  };
}
