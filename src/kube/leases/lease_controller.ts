import { getLogger } from "@logtape/logtape";
import { ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { KubeError, reasonOf, statusOf, textOf } from "../client/kube_error.ts";
import { pause } from "../client/pause.ts";
import type { Lease } from "./lease.ts";
import type { LeaseContent, LeasesApi } from "./leases_api.ts";
import { RetryBackoff } from "../client/retry_backoff.ts";

const log = getLogger(["kube", "leases"]);

/** A server's own lease. */
export interface LeaseControllerOptions {
  readonly api: LeasesApi;
  readonly namespace: string;
  readonly serverId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
  readonly times?: LeaseTimes;
}

/** Times of a lease, in milliseconds where not said otherwise. */
export interface LeaseTimes {
  readonly durationSeconds: number;
  readonly renewMs: number;
  /** Up to this part of `renewMs` is added by chance, so that servers do not renew in step. */
  readonly renewJitter: number;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  /** How long the end may take: for a call that is in flight, and again for the deletion. */
  readonly stopMs: number;
}

/** What a controller knows of its lease. */
export interface OwnLease {
  readonly name: string;
  /** Whether it was renewed within its duration. */
  readonly held: boolean;
  /** Milliseconds since it was renewed; undefined where it is not there, or was never. */
  readonly renewedMsAgo: number | undefined;
  /** What the last renewal failed with; undefined when it did not. */
  readonly failure: string | undefined;
}

/** The original's times. */
export const leaseTimes: LeaseTimes = {
  durationSeconds: 30,
  renewMs: 15_000,
  renewJitter: 0.04,
  retryBaseMs: 200,
  retryCapMs: 7_000,
  stopMs: 5_000,
};

/** The name of a server's lease. */
export function leaseName(serverId: string): string {
  return `konnectivity-proxy-server-${serverId}`;
}

/**
 * Holds a server's lease: creates it, renews it, deletes it at the end. Agents that count leases know by it that there is
 * one more server.
 */
export class LeaseController {
  readonly #options: LeaseControllerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #times: LeaseTimes;
  readonly #name: string;
  readonly #backoff: RetryBackoff;
  /** No call begins any more. */
  readonly #stopping = new AbortController();
  /** Calls in flight are dropped. */
  readonly #dropped = new AbortController();
  #running: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  /** As the API knows it; undefined where that is to be found out. */
  #lease: Lease | undefined;
  /** A call may have created the lease although it failed. */
  #unsure = false;
  #failure: string | undefined;
  /** When the last renewal began that succeeded, in milliseconds of the clock; undefined where the lease is not there. */
  #renewedAt: number | undefined;

  constructor(options: LeaseControllerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#times = options.times ?? leaseTimes;
    this.#name = leaseName(options.serverId);
    this.#backoff = new RetryBackoff({
      baseMs: this.#times.retryBaseMs,
      capMs: this.#times.retryCapMs,
      random: this.#random,
    });
  }

  /** Begins to hold the lease. */
  start(): void {
    if (!this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  /**
   * Gives the lease up, in bounded time and for good: what is in flight ends first, so that nothing can create the lease
   * again behind its deletion. Never throws; a lease that cannot be deleted ends by itself.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** The lease as it is now. */
  report(): OwnLease {
    const renewedMsAgo = this.#renewedAt === undefined ? undefined : this.#clock.now() - this.#renewedAt;
    return {
      name: this.#name,
      held: renewedMsAgo !== undefined && renewedMsAgo < this.#times.durationSeconds * 1000,
      renewedMsAgo,
      failure: this.#failure,
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await pause(this.#clock, await this.#renewed(), signal);
    }
  }

  /** Renews once. @returns how long to wait then, in milliseconds */
  async #renewed(): Promise<number> {
    const startedAt = this.#clock.now();
    try {
      await this.#renew();
      this.#renewedAt = startedAt;
    } catch (error) {
      if (this.#dropped.signal.aborted) return 0;
      const failure = textOf(error);
      if (failure !== this.#failure) log.warn("cannot renew lease {lease}: {failure}", { lease: this.#name, failure });
      this.#failure = failure;
      return this.#backoff.failed();
    }
    if (this.#failure !== undefined) log.info("renewed lease {lease} again", { lease: this.#name });
    this.#failure = undefined;
    this.#backoff.succeeded();
    return this.#times.renewMs * (1 + this.#times.renewJitter * this.#random());
  }

  async #renew(): Promise<void> {
    if (this.#lease !== undefined) {
      try {
        this.#lease = await this.#options.api.update(this.#lease, this.#content(), this.#dropped.signal);
        return;
      } catch (error) {
        // Somebody changed or deleted it, or a call that seemed to fail did not: look again.
        if (statusOf(error) !== 409 && statusOf(error) !== 404) throw error;
        this.#lease = undefined;
        this.#renewedAt = undefined;
        if (this.#stopping.signal.aborted) return;
      }
    }
    await this.#acquire();
  }

  async #acquire(): Promise<void> {
    const { api, namespace } = this.#options;
    const { signal } = this.#dropped;
    const found = await orMissing(api.get(namespace, this.#name, signal));
    this.#lease = found;
    if (this.#stopping.signal.aborted) return;
    if (found !== undefined) {
      this.#lease = await api.update(found, this.#content(), signal);
      return;
    }
    this.#unsure = true;
    this.#lease = await api.create(namespace, this.#name, this.#content(), signal);
    this.#unsure = false;
    log.info("created lease {lease}", { lease: this.#name });
  }

  #content(): LeaseContent {
    return {
      labels: this.#options.labels,
      holderIdentity: this.#options.serverId,
      renewTimeMs: this.#clock.timeOfDay(),
      durationSeconds: this.#times.durationSeconds,
    };
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error("the lease is given up"));
    if (this.#running === undefined) return;
    const end = this.#within(this.#dropped);
    await this.#running;
    end.cancel();
    if (this.#lease === undefined && !this.#unsure) return;
    const limit = new AbortController();
    const deletion = this.#within(limit);
    try {
      await this.#delete(limit.signal);
      this.#renewedAt = undefined;
      log.info("deleted lease {lease}", { lease: this.#name });
    } catch (error) {
      if (reasonOf(error) === "NotFound") return;
      log.warn("cannot delete lease {lease}, it ends in {seconds} s: {reason}", {
        lease: this.#name,
        seconds: this.#times.durationSeconds,
        reason: textOf(error),
      });
    } finally {
      deletion.cancel();
    }
  }

  /** Ends a step of the end that takes too long. */
  #within(step: AbortController): Deadline {
    return this.#clock.after(this.#times.stopMs, () => step.abort(new Error("it takes too long")), ownerOf("kube"));
  }

  async #delete(signal: AbortSignal): Promise<void> {
    const { api, namespace, serverId } = this.#options;
    const lease = this.#lease ?? await api.get(namespace, this.#name, signal);
    if (lease.holderIdentity !== serverId) throw new Error(`it is held by ${lease.holderIdentity}`);
    await api.delete(lease, false, signal);
  }
}

async function orMissing(found: Promise<Lease>): Promise<Lease | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}
