/**
 * The HTTP status of a call to the Kubernetes API, or undefined when there was no answer. Counted as `<error>` then, as
 * Kubernetes' own client metrics do; the original counts such calls as 200 or not at all.
 */
export type LeaseCallStatus = number | undefined;

/** Calls that the agent makes to count servers. `reason` is the API's status reason, empty on success. */
export interface AgentLeaseEvents {
  leasesListed(status: LeaseCallStatus, reason: string, seconds: number): void;
  leasesWatched(status: LeaseCallStatus, reason: string): void;
}

/** Calls that the server makes to clear expired leases away. `reason` is the API's status reason, empty on success. */
export interface ServerLeaseEvents {
  leasesListed(status: LeaseCallStatus, reason: string, seconds: number): void;
  leaseDeleted(status: LeaseCallStatus, reason: string, seconds: number): void;
  /** An expired lease is gone by this server's doing. */
  leaseCulled(): void;
}

/** A status as metrics label it. */
export function statusLabel(status: LeaseCallStatus): string {
  return status === undefined ? "<error>" : String(status);
}

/**
 * What a review of an agent's token led to:
 * - `accepted`: the agent may connect, as far as its token goes
 * - `refused`: the token is none of the right account and audience
 * - `failed`: the Kubernetes API gave no verdict
 */
export type TokenReviewOutcome = "accepted" | "refused" | "failed";

/**
 * Why a review had to wait, or was refused:
 * - `rate`: it waited for its turn of `--kubeconfig-qps`
 * - `api`: the Kubernetes API had too much to do (status 429)
 * - `too_many`: as many as may be in flight were, and the agent was refused
 */
export type TokenReviewThrottle = "rate" | "api" | "too_many";

/** What happens to reviews of agents' tokens. */
export interface TokenEvents {
  reviewed(outcome: TokenReviewOutcome): void;
  throttled(reason: TokenReviewThrottle): void;
}
