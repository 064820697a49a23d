import { getLogger } from "@logtape/logtape";
import type { Owner } from "../../faults/fault.ts";
import { guard } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { type LeaseState, LeaseTimes } from "./lease_times.ts";
import { LeaseWatch, type LeaseWatchEvents } from "./lease_watch.ts";
import type { LeaseEvent, LeaseList, LeasesApi, LeaseScope } from "./leases_api.ts";

const log = getLogger(["kube", "leases"]);

/** Which leases count, and for how long. */
export interface LeaseCounterOptions {
  readonly api: LeasesApi;
  readonly scope: LeaseScope;
  readonly events: LeaseWatchEvents;
  readonly clock: Clock;
  /** How long the last count stays while the API cannot be asked, in milliseconds. */
  readonly outageMs?: number;
  readonly random?: () => number;
}

/** What a counter knows. */
export interface CountedLeases extends LeaseScope {
  readonly count: number;
  /** Every lease that was seen; those that make up the count, count. */
  readonly leases: Iterable<LeaseState>;
  /** Undefined while leases are followed; else for how long they have not been, and why. */
  readonly unfollowed: { readonly ms: number; readonly failure: string | undefined } | undefined;
}

/** Servers run on without the API, and so do the links to them. */
const defaultOutageMs = 600_000;

/**
 * Counts servers by their leases: each that matches and holds is one. Leases are followed as they change, so a server that
 * comes or goes is known at once. How long each holds is said by {@link LeaseTimes}; one whose time seems to be over is
 * looked at once more. While the API cannot be asked, the count stays as it was, for a bounded time.
 */
export class LeaseCounter implements Owner {
  readonly place = "kube";
  readonly #clock: Clock;
  readonly #watch: LeaseWatch;
  readonly #outageMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #times: LeaseTimes;
  readonly #scope: LeaseScope;
  #lostAt: number | undefined;
  #count = 0;
  /** When they were counted, in the API's time of day. */
  #countedMs = 0;
  #next: Deadline | undefined;

  constructor(options: LeaseCounterOptions) {
    this.#clock = options.clock;
    this.#times = new LeaseTimes(this.#clock);
    this.#scope = options.scope;
    this.#outageMs = options.outageMs ?? defaultOutageMs;
    this.#watch = new LeaseWatch(options, {
      listed: (list) => this.#listed(list),
      happened: (event) => this.#happened(event),
      found: () => {
        this.#lostAt = undefined;
        this.#checkLeases();
      },
      lost: () => {
        this.#lostAt = this.#clock.now();
        this.#checkLeases();
      },
    });
  }

  /** Begins to count, without waiting for the API. */
  start(): void {
    this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#next?.cancel();
    this.#listeners.clear();
    await this.#watch.stop();
    this.#next?.cancel();
  }

  /** Servers now; 0 when none are known. */
  count(): number {
    return this.#count;
  }

  /** What the count is made of. */
  report(): CountedLeases {
    const { loss } = this.#watch;
    return {
      ...this.#scope,
      count: this.#count,
      leases: this.#times.states(this.#countedMs),
      unfollowed: loss === undefined ? undefined : { ms: this.#clock.now() - loss.since, failure: loss.failure },
    };
  }

  /** Calls back whenever the count has changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #listed(list: LeaseList): void {
    this.#times.listed(list);
    this.#lostAt = undefined;
    this.#recount();
  }

  #happened(event: LeaseEvent): void {
    if (event.kind === "bookmark") return;
    if (event.kind === "deleted") this.#times.deleted(event.lease);
    else this.#times.changed(event.lease);
    this.#recount();
  }

  /** {@link Owner}: the count stays, and is made sure of with the next list. */
  faulted(): void {
    this.#watch.relist();
  }

  /** Counts anew: what has ended, has ended. */
  #recount(): void {
    const count = this.#times.holding;
    this.#countedMs = this.#times.now;
    this.#schedule();
    if (count === this.#count) return;
    log.info("{count} servers have leases, {before} before", { count, before: this.#count });
    this.#count = count;
    for (const listener of this.#listeners) guard(this, listener);
  }

  /** Time has passed: makes sure of leases that seem to have ended. */
  #checkLeases(): void {
    if (this.#lostAt !== undefined) {
      if (this.#clock.now() - this.#lostAt >= this.#outageMs) this.#recount();
      else this.#schedule();
      return;
    }
    if (this.#times.holding < this.#count) this.#watch.relist();
    else this.#schedule();
  }

  #schedule(): void {
    this.#next?.cancel();
    const outageLeftMs = this.#lostAt === undefined ? 0 : this.#lostAt + this.#outageMs - this.#clock.now();
    const nextMs = outageLeftMs > 0 ? outageLeftMs : this.#times.nextEndInMs;
    if (nextMs === Infinity) return;
    // A timer of the runtime may be early by a fraction of a millisecond.
    this.#next = this.#clock.after(nextMs + 1, () => this.#checkLeases(), this);
  }
}
