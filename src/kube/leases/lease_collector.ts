import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf, statusOf, textOf } from "../client/kube_error.ts";
import { pause } from "../client/pause.ts";
import { type Lease, leaseEndMs } from "./lease.ts";
import { type LeaseState, LeaseTimes } from "./lease_times.ts";
import type { LeasesApi } from "./leases_api.ts";

const log = getLogger(["kube", "leases"]);

/** Told of each call. `status` is the HTTP status, undefined where there was no answer; `reason` is empty on success. */
export interface LeaseCollectorEvents {
  leasesListed(status: number | undefined, reason: string, seconds: number): void;
  leaseDeleted(status: number | undefined, reason: string, seconds: number): void;
  /** An expired lease is gone by this server's doing. */
  leaseCulled(): void;
}

/** What is collected, and how often. */
export interface LeaseCollectorOptions {
  readonly api: LeasesApi;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** This server's own lease, which its controller looks after. */
  readonly ownName: string;
  readonly events: LeaseCollectorEvents;
  readonly clock: Clock;
  /** Milliseconds from the end of one collection to the next. */
  readonly periodMs?: number;
}

/** What a collector has seen. */
export interface CollectedLeases {
  /** How many held when they were listed last. */
  readonly count: number;
  /** Every lease of the last list but those that were deleted since; those that held then count. */
  readonly leases: Iterable<LeaseState>;
  /** Milliseconds since the last list; undefined where there was none. */
  readonly listedMsAgo: number | undefined;
  /** What the last list failed with; undefined when it did not. */
  readonly failure: string | undefined;
}

/** The original's. */
const defaultPeriodMs = 15_000;

/**
 * Deletes the leases of servers that are gone without a word. Every server does that for all, so one that is mistaken, for
 * its clock or another's, would have agents leave servers that live.
 */
export class LeaseCollector {
  readonly #options: LeaseCollectorOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #times: LeaseTimes;
  readonly #selector: string;
  #running: Promise<void> | undefined;
  #failure: string | undefined;
  /** When leases were listed last, in milliseconds of the clock and in the API's time of day. */
  #listed: { readonly at: number; readonly apiMs: number; readonly count: number } | undefined;
  /** Leases that never end, logged once. */
  #endless: ReadonlySet<string> = new Set();

  constructor(options: LeaseCollectorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#times = new LeaseTimes(this.#clock);
    this.#selector = selectorOf(options.labels);
  }

  start(): void {
    if (!this.#stop.signal.aborted) this.#running ??= this.#run();
  }

  /** Drops what is in flight. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the collection is stopped"));
    await this.#running;
  }

  /** What the last list has shown. */
  report(): CollectedLeases {
    return {
      count: this.#listed?.count ?? 0,
      leases: this.#times.states(this.#listed?.apiMs ?? 0),
      listedMsAgo: this.#listed === undefined ? undefined : this.#clock.now() - this.#listed.at,
      failure: this.#failure,
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#collect(signal);
        this.#failure = undefined;
      } catch (error) {
        const failure = textOf(error);
        if (!signal.aborted && failure !== this.#failure) log.warn("cannot list leases: {failure}", { failure });
        this.#failure = failure;
      }
      await pause(this.#clock, this.#options.periodMs ?? defaultPeriodMs, signal);
    }
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { namespace, ownName, events } = this.#options;
    const scope = { namespace, labelSelector: this.#selector };
    const list = await observed(
      this.#options.api.list(scope, signal),
      signal,
      this.#clock,
      (status, reason, seconds) => events.leasesListed(status, reason, seconds),
    );
    this.#times.listed(list);
    this.#listed = { at: this.#clock.now(), apiMs: this.#times.now, count: this.#times.holding };
    const endless = list.leases.filter((lease) => leaseEndMs(lease) === undefined);
    for (const { name } of endless) {
      if (!this.#endless.has(name)) log.warn("lease {name} names no duration, so it never ends and is left", { name });
    }
    this.#endless = new Set(endless.map(({ name }) => name));
    for (const lease of this.#times.abandoned) {
      if (lease.name !== ownName) await this.#cull(lease, signal);
    }
  }

  async #cull(lease: Lease, signal: AbortSignal): Promise<void> {
    const { api, events } = this.#options;
    try {
      await observed(
        api.delete(lease, true, signal),
        signal,
        this.#clock,
        (status, reason, seconds) => events.leaseDeleted(status, reason, seconds),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      // Another server was faster, or the lease was renewed after all.
      const level = statusOf(error) === 404 || statusOf(error) === 409 ? "debug" : "warn";
      log[level]("did not delete expired lease {name}: {reason}", { name: lease.name, reason: textOf(error) });
      return;
    }
    this.#times.deleted(lease);
    events.leaseCulled();
    log.info("deleted expired lease {name}", { name: lease.name });
  }
}

/** Reports how a call went, unless it was given up. */
async function observed<T>(
  call: Promise<T>,
  signal: AbortSignal,
  clock: Clock,
  report: (status: number | undefined, reason: string, seconds: number) => void,
): Promise<T> {
  const startedAt = clock.now();
  const seconds = () => (clock.now() - startedAt) / 1000;
  try {
    const result = await call;
    report(200, "", seconds());
    return result;
  } catch (error) {
    if (!signal.aborted) report(statusOf(error), reasonOf(error), seconds());
    throw error;
  }
}

/** Labels as a selector, in the order of their keys. */
export function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1).map(([key, value]) => `${key}=${value}`).join(",");
}
