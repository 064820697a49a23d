import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../runtime/clock.ts";
import { type Lease, leaseEndMs, leaseTimeMs } from "./lease.ts";
import type { LeaseList } from "./leases_api.ts";

const log = getLogger(["kube", "leases"]);

/** A clock that differs from the API's by more than this, in milliseconds, is not trusted: the API gives whole seconds only. */
const skewLimitMs = 5_000;

/** What two looks at the same clock may differ by, in milliseconds: the API gives whole seconds, and answers when it can. */
const skewNoiseMs = 2_000;

/** What was seen of a lease. Times are the API's time of day, in milliseconds since the epoch. */
interface Seen {
  readonly lease: Lease;
  /** Until when it counts. */
  readonly endMs: number;
  /** When its duration has passed since it was seen to be renewed, or seen at all: no server stands behind it any more. */
  readonly abandonedMs: number;
}

/** A lease that was seen. */
export interface LeaseState {
  readonly lease: Lease;
  readonly counts: boolean;
  /** Milliseconds until it ends, negative once it has; undefined where it names no time, or no duration. */
  readonly endsInMs: number | undefined;
}

/**
 * When leases end. Clocks of servers, agents and the API may differ, and this machine's may be set while it runs. So a lease
 * ends by its own times, held against the API's clock, until it is seen to be renewed: from then on it holds for its
 * duration, whatever time it names.
 */
export class LeaseTimes {
  readonly #clock: Clock;
  #seen = new Map<string, Seen>();
  /** What the local clock is behind the API's, where that is more than chance. */
  #skewMs = 0;
  /** The same, as it was measured when it last changed by more than noise. */
  #measuredMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** These are all leases that there are. */
  listed({ leases, apiTimeMs }: LeaseList): void {
    this.#noteSkew(apiTimeMs);
    this.#seen = new Map(leases.map((lease) => [keyOf(lease), this.#observe(lease)]));
  }

  /** A lease is there, new or as it is now. */
  changed(lease: Lease): void {
    this.#seen.set(keyOf(lease), this.#observe(lease));
  }

  deleted(lease: Lease): void {
    this.#seen.delete(keyOf(lease));
  }

  /** How many leases hold now. */
  get holding(): number {
    const now = this.now;
    let count = 0;
    for (const { endMs } of this.#seen.values()) if (endMs > now) count++;
    return count;
  }

  /** Milliseconds until the first of those that hold ends; Infinity where none does. */
  get nextEndInMs(): number {
    const now = this.now;
    let next = Infinity;
    for (const { endMs } of this.#seen.values()) if (endMs > now) next = Math.min(next, endMs - now);
    return next;
  }

  /**
   * Leases that their servers have left: nobody renewed them for their duration under this program's eyes. A lease whose time
   * is over when it is first seen may be that of a server whose clock is behind.
   */
  get abandoned(): Lease[] {
    const now = this.now;
    return Array.from(this.#seen.values()).filter(({ abandonedMs }) => abandonedMs <= now).map(({ lease }) => lease);
  }

  /** The API's time of day, as far as it is known, in milliseconds since the epoch. */
  get now(): number {
    return this.#clock.timeOfDay() + this.#skewMs;
  }

  /**
   * Every lease that was seen.
   * @param countedMs when they were counted, in the API's time of day: those that held then count
   */
  *states(countedMs: number): IterableIterator<LeaseState> {
    const now = this.now;
    for (const { lease, endMs } of this.#seen.values()) {
      yield { lease, counts: endMs > countedMs, endsInMs: Number.isFinite(endMs) ? endMs - now : undefined };
    }
  }

  #observe(lease: Lease): Seen {
    const now = this.now;
    const ends = leaseEndMs(lease);
    const { durationSeconds } = lease;
    // It names no time: nobody holds it.
    if (ends === -Infinity) return { lease, endMs: -Infinity, abandonedMs: -Infinity };
    // It names no duration: it counts for nobody, and never ends by its own word.
    if (ends === undefined || durationSeconds === undefined) return { lease, endMs: -Infinity, abandonedMs: Infinity };
    // Not longer than from now on, lest a clock that is ahead keeps a dead server alive.
    const longest = now + durationSeconds * 1000;
    const known = this.#seen.get(keyOf(lease));
    if (known !== undefined && known.lease.uid === lease.uid) {
      const before = leaseTimeMs(known.lease) ?? -Infinity;
      const renewed = leaseTimeMs(lease) ?? -Infinity;
      if (renewed > before) return { lease, endMs: longest, abandonedMs: longest };
      if (renewed === before && known.lease.durationSeconds === durationSeconds) return { ...known, lease };
    }
    return { lease, endMs: Math.min(ends, longest), abandonedMs: longest };
  }

  #noteSkew(apiTimeMs: number | undefined): void {
    if (apiTimeMs === undefined) return;
    const skewMs = apiTimeMs - this.#clock.timeOfDay();
    // Else each list would set this clock back by up to a second, and a lease that has just ended would hold again, which would
    // have the leases listed again at once, and so on until the second is over.
    if (Math.abs(skewMs - this.#measuredMs) <= skewNoiseMs) return;
    this.#measuredMs = skewMs;
    const trusted = Math.abs(skewMs) <= skewLimitMs;
    if (!trusted && this.#skewMs === 0) {
      log.warn("the clock of this machine differs from the Kubernetes API's by {seconds} s; the API's counts", {
        seconds: Math.round(skewMs / 1000),
      });
    }
    this.#skewMs = trusted ? 0 : skewMs;
  }
}

function keyOf({ namespace, name }: Lease): string {
  return `${namespace}/${name}`;
}
