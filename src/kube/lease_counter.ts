import { getLogger } from "@logtape/logtape";
import { type Clock, systemClock } from "./clock.ts";
import { type Lease, leaseEndMs, leaseTimeMs } from "./lease.ts";
import { LeaseWatch, type LeaseWatchEvents } from "./lease_watch.ts";
import type { LeaseEvent, LeaseList, LeasesApi, LeaseScope } from "./leases_api.ts";

const log = getLogger(["kube", "leases"]);

/** Which leases count, and for how long. */
export interface LeaseCounterOptions {
  readonly api: LeasesApi;
  readonly scope: LeaseScope;
  readonly events: LeaseWatchEvents;
  readonly clock?: Clock;
  /** How long the last count stays while the API cannot be asked, in milliseconds. */
  readonly outageMs?: number;
  readonly random?: () => number;
}

/** Servers run on without the API, and so do the links to them. */
const defaultOutageMs = 600_000;

/** A clock that differs from the API's by more than this, in milliseconds, is not trusted: the API tells whole seconds only. */
const skewLimitMs = 5_000;

interface Counted {
  readonly lease: Lease;
  /** When it ends, by the local clock. */
  readonly endMs: number;
}

/**
 * Counts servers by their leases: each that matches and holds is one. Leases are followed as they change, so a server that
 * comes or goes is known at once. Clocks of agents and servers may differ: a lease that was seen to be renewed holds for
 * its duration from then on, whatever time it names, and one whose time seems to be over is looked at once more. While the API
 * cannot be asked, the count stays as it was, for a bounded time.
 */
export class LeaseCounter {
  readonly #clock: Clock;
  readonly #watch: LeaseWatch;
  readonly #outageMs: number;
  readonly #listeners = new Set<() => void>();
  #leases = new Map<string, Counted>();
  /** What the local clock is behind the API's, where that is more than chance. */
  #skewMs = 0;
  #lostAt: number | undefined;
  #count = 0;
  #cancelTimer: () => void = () => {};

  constructor(options: LeaseCounterOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#outageMs = options.outageMs ?? defaultOutageMs;
    this.#watch = new LeaseWatch(options, {
      listed: (list) => this.#listed(list),
      happened: (event) => this.#happened(event),
      found: () => {
        this.#lostAt = undefined;
        this.#look();
      },
      lost: () => {
        this.#lostAt = this.#clock.now();
        this.#look();
      },
    });
  }

  /** Begins to count, without waiting for the API. */
  start(): void {
    this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#cancelTimer();
    this.#listeners.clear();
    await this.#watch.stop();
    this.#cancelTimer();
  }

  /** Servers now; 0 when none are known. */
  count(): number {
    return this.#count;
  }

  /** Calls back whenever the count has changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #listed({ leases, apiTimeMs }: LeaseList): void {
    this.#noteSkew(apiTimeMs);
    this.#leases = new Map(leases.map((lease) => [keyOf(lease), this.#counted(lease)]));
    this.#lostAt = undefined;
    this.#recount();
  }

  #happened(event: LeaseEvent): void {
    if (event.kind === "bookmark") return;
    const { kind, lease } = event;
    if (kind === "deleted") this.#leases.delete(keyOf(lease));
    else this.#leases.set(keyOf(lease), this.#counted(lease));
    this.#recount();
  }

  #counted(lease: Lease): Counted {
    const now = this.#clock.now();
    const ends = leaseEndMs(lease);
    if (ends === undefined || lease.durationSeconds === undefined) return { lease, endMs: -Infinity };
    // Not longer than from now on, lest a clock that is ahead keeps a dead server alive.
    const longest = now + lease.durationSeconds * 1000;
    const known = this.#leases.get(keyOf(lease));
    if (known !== undefined && known.lease.uid === lease.uid) {
      const before = leaseTimeMs(known.lease) ?? -Infinity;
      const renewed = leaseTimeMs(lease) ?? -Infinity;
      if (renewed > before) return { lease, endMs: longest };
      if (renewed === before && known.lease.durationSeconds === lease.durationSeconds) {
        return { lease, endMs: known.endMs };
      }
    }
    return { lease, endMs: Math.min(ends - this.#skewMs, longest) };
  }

  #noteSkew(apiTimeMs: number | undefined): void {
    if (apiTimeMs === undefined) return;
    const skewMs = apiTimeMs - this.#clock.now();
    const trusted = Math.abs(skewMs) <= skewLimitMs;
    if (!trusted && this.#skewMs === 0) {
      log.warn("the clock of this machine differs from the Kubernetes API's by {seconds} s; the API's counts", {
        seconds: Math.round(skewMs / 1000),
      });
    }
    this.#skewMs = trusted ? 0 : skewMs;
  }

  /** Counts anew: what has ended, has ended. */
  #recount(): void {
    const now = this.#clock.now();
    let count = 0;
    for (const { endMs } of this.#leases.values()) if (endMs > now) count++;
    this.#schedule();
    if (count === this.#count) return;
    log.info("{count} servers have leases, {before} before", { count, before: this.#count });
    this.#count = count;
    for (const listener of this.#listeners) listener();
  }

  /** Time has passed: makes sure of leases that seem to have ended. */
  #look(): void {
    const now = this.#clock.now();
    if (this.#lostAt !== undefined) {
      if (now - this.#lostAt >= this.#outageMs) this.#recount();
      else this.#schedule();
      return;
    }
    let held = 0;
    for (const { endMs } of this.#leases.values()) if (endMs > now) held++;
    if (held < this.#count) this.#watch.relist();
    else this.#schedule();
  }

  #schedule(): void {
    this.#cancelTimer();
    const now = this.#clock.now();
    let next = Infinity;
    for (const { endMs } of this.#leases.values()) if (endMs > now) next = Math.min(next, endMs);
    if (this.#lostAt !== undefined && now - this.#lostAt < this.#outageMs) next = this.#lostAt + this.#outageMs;
    if (next === Infinity) return;
    // A timer of the runtime may be early by a fraction of a millisecond.
    this.#cancelTimer = this.#clock.after(Math.min(next - now + 1, 2 ** 31 - 1), () => this.#look());
  }
}

function keyOf({ namespace, name }: Lease): string {
  return `${namespace}/${name}`;
}
