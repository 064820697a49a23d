import type { Clock } from "../../runtime/clock.ts";
import type { AgentInfo } from "../agents/agent_info.ts";
import type { BackendPool } from "../backend_pool.ts";
import { DestinationProbe, type ProbeEvents, type ProbeReport } from "./destination_probe.ts";
import type { ProbeFailureReason } from "./probe_dial.ts";

/** What a server probes through its agents. */
export interface ProbeOptions {
  /** host:port each; no two alike. */
  readonly destinations: readonly string[];
  readonly intervalMs: number;
  /** Not longer than the interval. */
  readonly timeoutMs: number;
  /** Whether the server is ready only while one of the destinations can be reached. */
  readonly readiness: boolean;
  readonly events: ProbeEvents;
}

/** What a list of checks says of a destination. */
export interface ProbeCheck {
  readonly destination: string;
  /** Why the last probe failed, in words that tell a stranger nothing of the network; undefined: it succeeded. */
  readonly failure: string | undefined;
}

/** Whoever reaches the health port reads them. What the agent said stands in `/status`. */
const failureWords: Readonly<Record<ProbeFailureReason, string>> = {
  no_agent: "no agent available",
  error_response: "the agent could not connect",
  unrecognized_response: "the agent's answer was not understood",
  send_rsp: "internal error",
  backend_close: "the agent's link was lost",
  backend_dial_timeout: "the agent did not answer",
  frontend_close: "internal error",
  not_allowed: "not allowed",
  timeout: "no answer in time",
};

/** The probes of a server: one for each destination. */
export class DestinationProbes {
  readonly #probes: readonly DestinationProbe[];
  readonly #readiness: boolean;

  /**
   * @param options absent: there are none
   * @param onChange what {@link notReady} or {@link checks} say may have changed
   */
  constructor(pool: BackendPool, clock: Clock, options: ProbeOptions | undefined, onChange: () => void) {
    this.#readiness = options?.readiness ?? false;
    this.#probes = options === undefined
      ? []
      : options.destinations.map((destination) =>
        new DestinationProbe(destination, pool, { ...options, clock, onChange })
      );
  }

  /** Agents may come now. */
  start(): void {
    for (const probe of this.#probes) probe.start();
  }

  /** Ends all of them at once; idempotent. */
  stop(): void {
    for (const probe of this.#probes) probe.stop();
  }

  /** An agent came or went. */
  agentsChanged(): void {
    for (const probe of this.#probes) probe.agentsChanged();
  }

  /**
   * Why the server should get no traffic; undefined when it should. One destination that is reached shows that the way
   * through the agents is there: where another one is down, a server that said it were not ready would take everything else
   * away from its clients too, and so would each of its siblings.
   */
  get notReady(): string | undefined {
    if (!this.#readiness || this.#probes.some(({ report }) => report.reachable)) return undefined;
    const tried = this.#probes.some(({ report }) => report.success !== undefined);
    return tried ? "no probe reaches its destination" : "no probe has reached its destination yet";
  }

  /** Whether {@link notReady} may ever say something. */
  get readiness(): boolean {
    return this.#readiness;
  }

  *reports(): IterableIterator<ProbeReport> {
    for (const { report } of this.#probes) yield report;
  }

  checks(): ProbeCheck[] {
    return this.#probes.map(({ report: { destination, success, lastFailure } }) => ({
      destination,
      failure: success === true
        ? undefined
        : lastFailure === undefined
        ? "not tried yet"
        : failureWords[lastFailure.reason],
    }));
  }

  /** Their own dials that no agent has answered. */
  get pendingDials(): number {
    return this.#count("dialing");
  }

  /** Their own tunnels, which are being closed. */
  get tunnels(): number {
    return this.#count("closing");
  }

  /** The same, by the agent that they go through. */
  tunnelsByAgent(): ReadonlyMap<AgentInfo, number> {
    const counts = new Map<AgentInfo, number>();
    for (const { dial } of this.#probes) {
      if (dial?.state === "closing" && dial.agent !== undefined) {
        counts.set(dial.agent, (counts.get(dial.agent) ?? 0) + 1);
      }
    }
    return counts;
  }

  #count(state: "dialing" | "closing"): number {
    let count = 0;
    for (const { dial } of this.#probes) if (dial?.state === state) count++;
    return count;
  }
}
