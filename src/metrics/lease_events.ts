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
