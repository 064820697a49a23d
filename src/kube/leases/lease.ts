import { memberOf, textMember, textMembers } from "../client/json_value.ts";

/** What this project looks at in a lease (coordination.k8s.io/v1). Times are milliseconds since the epoch. */
export interface Lease {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly holderIdentity: string;
  readonly acquireTimeMs: number | undefined;
  readonly renewTimeMs: number | undefined;
  /** Undefined where the lease says nothing, or nothing sound. */
  readonly durationSeconds: number | undefined;
}

/** Reads a lease as the API sends it; undefined when it has no name. */
export function leaseOf(value: unknown): Lease | undefined {
  const metadata = memberOf(value, "metadata");
  const spec = memberOf(value, "spec");
  const name = textMember(metadata, "name");
  if (name === "") return undefined;
  const duration = memberOf(spec, "leaseDurationSeconds");
  return {
    name,
    namespace: textMember(metadata, "namespace"),
    uid: textMember(metadata, "uid"),
    resourceVersion: textMember(metadata, "resourceVersion"),
    labels: textMembers(memberOf(metadata, "labels")),
    holderIdentity: textMember(spec, "holderIdentity"),
    acquireTimeMs: timeOf(textMember(spec, "acquireTime")),
    renewTimeMs: timeOf(textMember(spec, "renewTime")),
    durationSeconds: typeof duration === "number" && duration >= 0 ? duration : undefined,
  };
}

/** A time as the API takes it: microseconds are mandatory. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function timeOf(text: string): number | undefined {
  // The runtime's clock ends at milliseconds.
  const ms = Date.parse(text.replace(/(\.\d{3})\d*/, "$1"));
  return Number.isNaN(ms) ? undefined : ms;
}

/** When a lease was renewed last, or acquired; undefined where it says neither. */
export function leaseTimeMs({ renewTimeMs, acquireTimeMs }: Lease): number | undefined {
  return renewTimeMs ?? acquireTimeMs;
}

/**
 * When a lease ends by its own word, in milliseconds since the epoch.
 * - -Infinity: it names no time, so it does not hold
 * - undefined: it names a time but no duration, so nobody can say
 */
export function leaseEndMs(lease: Lease): number | undefined {
  const from = leaseTimeMs(lease);
  if (from === undefined) return -Infinity;
  return lease.durationSeconds === undefined ? undefined : from + lease.durationSeconds * 1000;
}

/** Whether a lease holds by its own word. One without a duration does not. */
export function isLeaseValid(lease: Lease, nowMs: number): boolean {
  return (leaseEndMs(lease) ?? -Infinity) > nowMs;
}
