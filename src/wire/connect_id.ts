/**
 * A connection's id on one link. Agents number from one, so that a plain number serves; an id beyond 2^53 or below zero,
 * which the protocol allows, stays a bigint. {@link connectId} makes the one form that works as a Map key.
 */
export type ConnectId = number | bigint;

/** The canonical form of an int64: a number where it is a safe, non-negative integer, else the bigint itself. */
export function connectId(value: bigint): ConnectId {
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
