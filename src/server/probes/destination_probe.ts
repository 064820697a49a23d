import { getLogger } from "@logtape/logtape";
import type { Owner } from "../../faults/fault.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { BackendPool } from "../backend_pool.ts";
import { ProbeDial, type ProbeFailure, type ProbeFailureReason } from "./probe_dial.ts";

const log = getLogger(["server", "probes"]);

/** How probes are judged, and when one comes out of turn. */
export const probeLimits = {
  /**
   * So many failures in a row make a destination unreachable, and one success makes it reachable: the defaults of Kubernetes'
   * own probes. One lost dial takes no server out of service, and one that works again is not kept out.
   */
  failureThreshold: 3,
  /** How soon a destination that was not reached is tried when an agent has come, in milliseconds: its link is up by then. */
  agentSettleMs: 50,
  /** How far apart such probes are at least, or the interval where that is shorter: agents may come by thousands. */
  spacingMs: 1_000,
} as const;

/** What probes report as it happens. */
export interface ProbeEvents {
  /** @param seconds from the dial's start to the agent's answer */
  probeSucceeded(destination: string, seconds: number): void;
  probeFailed(destination: string, reason: ProbeFailureReason): void;
}

/** How one probe ended. */
export interface ProbeResult {
  /** When, in milliseconds since the epoch. */
  readonly at: number;
  /** From its dial to its outcome. */
  readonly seconds: number;
  /** The id of the agent that it went through; absent where there was none. */
  readonly agent?: string;
}

/** What is known of a destination. */
export interface ProbeReport {
  readonly destination: string;
  /** Whether the last probe reached it; undefined while none has ended. */
  readonly success: boolean | undefined;
  /** Whether it counts as reachable: it was reached, and has not failed {@link probeLimits.failureThreshold} times since. */
  readonly reachable: boolean;
  /** Failures since the last success, or since the start. */
  readonly failures: number;
  readonly lastSuccess: ProbeResult | undefined;
  readonly lastFailure: (ProbeResult & ProbeFailure) | undefined;
}

/** When a destination is probed, and who hears of it. */
export interface DestinationProbeOptions {
  readonly clock: Clock;
  /** From the beginning of one probe to that of the next, in milliseconds. */
  readonly intervalMs: number;
  /** How long one may take, in milliseconds; not longer than the interval. */
  readonly timeoutMs: number;
  readonly events: ProbeEvents;
  /** Its {@link ProbeReport} says something new of success, reachability or the reason of failures. */
  readonly onChange: () => void;
}

/**
 * Dials one destination again and again through the pool, as a client would. At most one probe is in flight: the next one
 * waits until the tunnel of the one before is closed.
 */
export class DestinationProbe implements Owner {
  readonly place = "timer";
  readonly destination: string;
  readonly #pool: BackendPool;
  readonly #options: DestinationProbeOptions;
  #next: Deadline | undefined;
  /** When {@link #next} fires, on the monotonic clock. */
  #nextAt = Infinity;
  #limit: Deadline | undefined;
  #dial: ProbeDial | undefined;
  /** The dial has no outcome yet. */
  #awaited = false;
  #began = -Infinity;
  #success: boolean | undefined;
  #reachable = false;
  #failures = 0;
  #lastSuccess: ProbeResult | undefined;
  #lastFailure: (ProbeResult & ProbeFailure) | undefined;

  constructor(destination: string, pool: BackendPool, options: DestinationProbeOptions) {
    this.destination = destination;
    this.#pool = pool;
    this.#options = options;
  }

  get report(): ProbeReport {
    return {
      destination: this.destination,
      success: this.#success,
      reachable: this.#reachable,
      failures: this.#failures,
      lastSuccess: this.#lastSuccess,
      lastFailure: this.#lastFailure,
    };
  }

  /** Its dial while something of that is left. */
  get dial(): ProbeDial | undefined {
    return this.#dial?.state === "over" ? undefined : this.#dial;
  }

  /** Begins: with the first agent, or after an interval without any. */
  start(): void {
    this.#wait(this.#options.intervalMs);
    this.agentsChanged();
  }

  /** Ends at once: nobody waits for the probe that is in flight, and it is not counted. */
  stop(): void {
    this.#next?.cancel();
    this.#next = undefined;
    this.#limit?.cancel();
    this.#awaited = false;
    this.#dial?.giveUp();
  }

  /** An agent may have come: a destination that was not reached is tried soon, so that a recovery waits for no interval. */
  agentsChanged(): void {
    if (this.#next === undefined || this.#success === true || this.dial !== undefined || this.#pool.size === 0) return;
    const now = this.#options.clock.now();
    const spacingMs = Math.min(probeLimits.spacingMs, this.#options.intervalMs);
    // One of two lengths, since deadlines of one length share a timer.
    const waitMs = now - this.#began >= spacingMs ? Math.min(probeLimits.agentSettleMs, spacingMs) : spacingMs;
    if (now + waitMs < this.#nextAt) this.#wait(waitMs);
  }

  /** {@link Owner}: the probe that is in flight has failed; the next one comes in its turn. */
  faulted(): void {
    if (this.#next !== undefined) this.#wait(this.#options.intervalMs);
    const dial = this.#dial;
    this.#dial = undefined;
    dial?.giveUp();
    this.#ended({ reason: "backend_close", message: "internal error of the proxy server" });
  }

  #wait(ms: number): void {
    this.#next?.cancel();
    this.#nextAt = this.#options.clock.now() + ms;
    this.#next = this.#options.clock.after(ms, () => this.#begin(), this);
  }

  #begin(): void {
    const { clock, intervalMs, timeoutMs } = this.#options;
    // An agent that drains ends some time after its last tunnel, which probes would put off; what was known stays.
    const skips = this.dial !== undefined || this.#pool.pick(this.destination)?.draining === true;
    // Set before the next probe, whose time may be the same: that one finds this one over.
    if (!skips) this.#limit = clock.after(timeoutMs, () => this.#timedOut(), this);
    this.#wait(intervalMs);
    if (skips) return;
    this.#began = clock.now();
    this.#awaited = true;
    const dial = new ProbeDial((failure) => this.#ended(failure));
    this.#dial = dial;
    dial.start(this.#pool, { protocol: "tcp", address: this.destination });
  }

  #timedOut(): void {
    const seconds = this.#options.timeoutMs / 1000;
    this.#dial?.giveUp();
    this.#ended({ reason: "timeout", message: `no answer within ${seconds} s` });
  }

  #ended(failure: ProbeFailure | undefined): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#limit?.cancel();
    const { clock, events } = this.#options;
    const agent = this.#dial?.agent?.agentId;
    const result: ProbeResult = {
      at: clock.timeOfDay(),
      seconds: (clock.now() - this.#began) / 1000,
      ...(agent === undefined ? {} : { agent }),
    };
    const before = [this.#success, this.#reachable, this.#lastFailure?.reason];
    if (failure === undefined) this.#succeeded(result, events);
    else this.#failed({ ...result, ...failure }, events);
    const after = [this.#success, this.#reachable, this.#lastFailure?.reason];
    if (after.some((value, at) => value !== before[at])) this.#options.onChange();
  }

  #succeeded(result: ProbeResult, events: ProbeEvents): void {
    if (this.#success !== true) {
      log.info("probes of {destination} succeed", {
        destination: this.destination,
        agentId: result.agent,
        milliseconds: Math.round(result.seconds * 1000),
        failures: this.#failures,
      });
    }
    this.#success = true;
    this.#reachable = true;
    this.#failures = 0;
    this.#lastSuccess = result;
    events.probeSucceeded(this.destination, result.seconds);
  }

  #failed(result: ProbeResult & ProbeFailure, events: ProbeEvents): void {
    const { reason, message, agent } = result;
    // What goes on to fail for one reason is no news; the metric counts it.
    if (this.#success !== false || this.#lastFailure?.reason !== reason) {
      log.warn("probes of {destination} fail: {reason}", {
        destination: this.destination,
        reason: message,
        agentId: agent,
      });
    }
    this.#success = false;
    if (++this.#failures >= probeLimits.failureThreshold) this.#reachable = false;
    this.#lastFailure = result;
    events.probeFailed(this.destination, reason);
  }
}
