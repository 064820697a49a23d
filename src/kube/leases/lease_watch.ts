import { getLogger } from "@logtape/logtape";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf, statusOf, textOf } from "../client/kube_error.ts";
import { pause } from "../client/pause.ts";
import type { LeaseEvent, LeaseList, LeasesApi, LeaseScope } from "./leases_api.ts";
import { RetryBackoff } from "../client/retry_backoff.ts";

const log = getLogger(["kube", "leases"]);

/** Told of each call. `status` is the HTTP status, undefined where there was no answer; `reason` is empty on success. */
export interface LeaseWatchEvents {
  leasesListed(status: number | undefined, reason: string, seconds: number): void;
  leasesWatched(status: number | undefined, reason: string): void;
}

/** Who wants to know of leases. */
export interface LeaseObserver {
  /** All leases as they are now. */
  listed(list: LeaseList): void;
  /** One has changed since. */
  happened(event: LeaseEvent): void;
  /** Changes are reported from now on. */
  found(): void;
  /** Nothing is known of changes from now on. */
  lost(): void;
}

/** What is watched. */
export interface LeaseWatchOptions {
  readonly api: LeasesApi;
  readonly scope: LeaseScope;
  readonly events: LeaseWatchEvents;
  readonly clock: Clock;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
}

const retryBaseMs = 500;
const retryCapMs = 10_000;
/** A watch that ends sooner without a word is a failure, or the API would be asked without a pause. */
const shortWatchMs = 1_000;

/** That changes are not reported. */
export interface WatchLoss {
  /** Since when, in milliseconds of the clock. */
  readonly since: number;
  /** What the last attempt failed with; undefined while there has been none that ended. */
  readonly failure: string | undefined;
}

/** Lists leases and follows their changes, through lost connections and forgotten histories, until it is stopped. */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #observer: LeaseObserver;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #backoff: RetryBackoff;
  #running: Promise<void> | undefined;
  /** Where the next watch goes on; undefined: the leases have to be listed first. */
  #resourceVersion: string | undefined;
  /** The watch that is open. */
  #watching: AbortController | undefined;
  /** Since when changes are not reported, in milliseconds of the clock; undefined while they are. */
  #lostAt: number | undefined;
  /** The first list has come. */
  #listed = false;
  #startedAt = 0;
  #failure: string | undefined;

  constructor(options: LeaseWatchOptions, observer: LeaseObserver) {
    this.#options = options;
    this.#observer = observer;
    this.#clock = options.clock;
    const random = options.random ?? Math.random;
    this.#backoff = new RetryBackoff({ baseMs: retryBaseMs, capMs: retryCapMs, random });
  }

  start(): void {
    if (this.#stop.signal.aborted || this.#running !== undefined) return;
    this.#startedAt = this.#clock.now();
    this.#running = this.#run();
  }

  /** Undefined while changes are reported. */
  get loss(): WatchLoss | undefined {
    if (!this.#listed) return { since: this.#startedAt, failure: this.#failure };
    return this.#lostAt === undefined ? undefined : { since: this.#lostAt, failure: this.#failure };
  }

  /** Has the leases listed again: what they say of themselves may be outdated. */
  relist(): void {
    this.#resourceVersion = undefined;
    this.#watching?.abort(new Error("the leases are listed again"));
  }

  /** Drops what is in flight. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the watch is stopped"));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        else await this.#watch(this.#resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        // What has happened since is forgotten. The list that follows fails too if the API is in trouble.
        if (statusOf(error) === 410) this.#resourceVersion = undefined;
        else await this.#failed(error, signal);
      }
    }
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const failure = textOf(error);
    if (failure !== this.#failure) log.warn("cannot follow the servers' leases: {failure}", { failure });
    this.#failure = failure;
    if (this.#lostAt === undefined) {
      this.#lostAt = this.#clock.now();
      this.#observer.lost();
    }
    await pause(this.#clock, this.#backoff.failed(), signal);
  }

  #succeeded(): void {
    if (this.#failure !== undefined) log.info("the servers' leases can be followed again");
    this.#failure = undefined;
    this.#backoff.succeeded();
    this.#found();
  }

  #found(): void {
    if (this.#lostAt === undefined) return;
    this.#lostAt = undefined;
    this.#observer.found();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { api, scope, events } = this.#options;
    const startedAt = this.#clock.now();
    const seconds = () => (this.#clock.now() - startedAt) / 1000;
    let list: LeaseList;
    try {
      list = await api.list(scope, signal);
    } catch (error) {
      if (!signal.aborted) events.leasesListed(statusOf(error), reasonOf(error), seconds());
      throw error;
    }
    events.leasesListed(200, "", seconds());
    this.#resourceVersion = list.resourceVersion;
    this.#listed = true;
    this.#observer.listed(list);
    this.#succeeded();
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { api, scope, events } = this.#options;
    const watching = new AbortController();
    const stop = owned(ownerOf("kube"), () => watching.abort(signal.reason));
    signal.addEventListener("abort", stop);
    this.#watching = watching;
    const startedAt = this.#clock.now();
    let quiet = true;
    try {
      let changes: AsyncIterable<LeaseEvent>;
      try {
        changes = await api.watch(scope, resourceVersion, watching.signal);
      } catch (error) {
        if (!watching.signal.aborted) events.leasesWatched(statusOf(error), reasonOf(error));
        throw error;
      }
      events.leasesWatched(200, "");
      this.#found();
      for await (const event of changes) {
        quiet = false;
        if (watching.signal.aborted) break;
        this.#resourceVersion = event.kind === "bookmark" ? event.resourceVersion : event.lease.resourceVersion;
        this.#observer.happened(event);
        this.#succeeded();
      }
    } catch (error) {
      // Given up for a new list: no failure.
      if (!watching.signal.aborted || signal.aborted) throw error;
    } finally {
      this.#watching = undefined;
      signal.removeEventListener("abort", stop);
    }
    if (watching.signal.aborted) return;
    if (quiet && this.#clock.now() - startedAt < shortWatchMs) throw new Error("the watch ended at once");
    this.#succeeded();
  }
}
