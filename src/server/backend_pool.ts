import { getLogger } from "@logtape/logtape";
import type { Clock } from "../runtime/clock.ts";
import type { DialTarget } from "../wire/packet.ts";
import { peerName } from "../wire/peer_identity.ts";
import type { AuditTrail } from "./audit_trail.ts";
import type { Backend } from "./backend.ts";
import { type DialFailure, noAgent, shuttingDown } from "./dial_outcome.ts";
import { bothRecords, type DialRecord, type DialTracer } from "./dial_record.ts";
import { anyDial, DialPolicy } from "./dial_policy.ts";
import { noServerEvents, type ServerEvents } from "./server_events.ts";
import { canonicalHost, hostOf, type Reach, reachOf, strategies, type StrategyName } from "./strategies.ts";
import { ServerTunnel } from "./tunnel.ts";
import type { TunnelClient } from "./tunnel_client.ts";

const log = getLogger(["server", "dials"]);

interface Member {
  readonly backend: Backend;
  readonly reach: Reach;
}

/** What a pool needs, and what its owner may choose. */
export interface BackendPoolOptions {
  readonly clock: Clock;
  /** An agent came or went. */
  readonly onChange?: () => void;
  /** Absent: there is no audit log. */
  readonly audit?: AuditTrail;
  /** Absent: nothing is traced. */
  readonly tracer?: DialTracer;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
  /** Absent: everything may be dialled over tcp. */
  readonly policy?: DialPolicy;
}

/** The connected agents, and the choice of one for each dial. */
export class BackendPool {
  readonly #strategies: readonly StrategyName[];
  /** A strategy looks at the destination. */
  readonly #asksHost: boolean;
  readonly #events: ServerEvents;
  readonly #clock: Clock;
  readonly #members: Member[] = [];
  /** Their agents have linked again, and they have not shown since that they live. */
  readonly #doubted = new Set<Backend>();
  #draining = false;
  #added = 0;
  readonly #random: () => number;
  #lastTunnelId: bigint;
  /** Backends that a dial was tried on already, while it has no answer. */
  readonly #tried = new WeakMap<ServerTunnel, Set<Backend>>();

  readonly #onChange: () => void;
  readonly #policy: DialPolicy;
  readonly #audit: AuditTrail | undefined;
  readonly #tracer: DialTracer | undefined;

  constructor(strategyNames: readonly StrategyName[], events: ServerEvents, options: BackendPoolOptions) {
    this.#strategies = strategyNames;
    this.#asksHost = strategyNames.includes("destHost");
    this.#events = events;
    this.#clock = options.clock;
    this.#audit = options.audit;
    this.#tracer = options.tracer;
    this.#random = options.random ?? Math.random;
    // Dials begin at a random number, so that ids of two servers, or of a server and its restart, hardly meet in a log.
    this.#lastTunnelId = BigInt(Math.floor(this.#random() * 2 ** 40)) << 12n;
    this.#onChange = options.onChange ?? (() => {});
    this.#policy = options.policy ?? new DialPolicy(anyDial);
  }

  add(backend: Backend): void {
    this.#added++;
    this.#members.push({ backend, reach: reachOf(backend.info.identifiers) });
    this.#onChange();
  }

  remove(backend: Backend): void {
    const at = this.#members.findIndex((member) => member.backend === backend);
    if (at < 0) return;
    this.#members.splice(at, 1);
    this.#doubted.delete(backend);
    this.#onChange();
  }

  /**
   * A backend's agent has linked again: it may have been restarted, and the older link be dead, which is noticed only after half a
   * minute. It gets no dials meanwhile that another backend can take, until it has answered a ping.
   */
  doubt(backend: Backend): void {
    this.#doubted.add(backend);
    backend.link.measure(() => this.#doubted.delete(backend));
  }

  /** How many agent streams have ever connected. */
  get added(): number {
    return this.#added;
  }

  /** Connected agent streams. */
  get size(): number {
    return this.#members.length;
  }

  get strategyNames(): readonly StrategyName[] {
    return this.#strategies;
  }

  /** The backends now connected. */
  *all(): IterableIterator<Backend> {
    for (const { backend } of this.#members) yield backend;
  }

  /** Whether clients' traces are of use. */
  get traces(): boolean {
    return this.#tracer !== undefined;
  }

  /** Refuses new tunnels from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Opens a tunnel through a chosen backend, or says why none was even asked. */
  dial(target: DialTarget, client: TunnelClient): ServerTunnel | DialFailure {
    const id = ++this.#lastTunnelId;
    const span = this.#tracer?.dial(id, target, client);
    const record = bothRecords(this.#audit?.dial(id, target, client), span);
    const traced = span === undefined ? target : { ...target, traceparent: span.traceparent };
    // The server's own dials are no client's: they have metrics of their own, and no list of client destinations.
    const events = client.frontend === "probe" ? noServerEvents : this.#events;
    events.dialing(client);
    const opened = this.#dial(id, traced, client, record, events);
    if (!(opened instanceof ServerTunnel)) record?.failed(opened);
    return opened;
  }

  #dial(
    id: bigint,
    target: DialTarget,
    client: TunnelClient,
    record: DialRecord | undefined,
    events: ServerEvents,
  ): ServerTunnel | DialFailure {
    const { peer } = client;
    const refusal = this.#policy.refusal(target, client.frontend === "probe" ? undefined : peer);
    if (refusal !== undefined) {
      const failure: DialFailure = { reason: "not_allowed", message: refusal };
      events.dialFailed(failure.reason, failure.message, { id, target, client, agent: undefined, seconds: 0 });
      // At most a line a minute for each client and destination; see LogLimiter.
      log.warn("refused client {client}: {reason}", { client: peerName(peer), reason: refusal, address: peer.address });
      return failure;
    }
    const backend = this.#draining ? undefined : this.pick(target.address);
    if (backend === undefined) {
      const failure = this.#draining ? shuttingDown : noAgent;
      events.dialFailed(failure.reason, failure.message, { id, target, client, agent: undefined, seconds: 0 });
      return failure;
    }
    const tunnel = new ServerTunnel(id, target, client, events, this.#clock, record);
    backend.dial(tunnel);
    return tunnel;
  }

  /** Moves a dial that `failed` did not take to a backend that was not tried yet. */
  redial(tunnel: ServerTunnel, failed: Backend): boolean {
    const tried = this.#tried.get(tunnel) ?? new Set();
    tried.add(failed);
    this.#tried.set(tunnel, tried);
    const next = this.pick(tunnel.target.address, tried);
    if (next === undefined) return false;
    next.dial(tunnel);
    return true;
  }

  /**
   * Chooses a backend for a destination: the strategies in order, each at random among the agents that fit best and are
   * neither draining nor stalled by a client, nor in doubt; only when no strategy has such an agent, one that is.
   */
  pick(address: string, except?: ReadonlySet<Backend>): Backend | undefined {
    const host = this.#asksHost ? canonicalHost(hostOf(address)) : "";
    const isSure = (backend: Backend) => isFree(backend) && !this.#doubted.has(backend);
    for (const usable of [isSure, isFree, isDraining, isStalled]) {
      for (const name of this.#strategies) {
        const chosen = this.#best(name, host, (backend) => usable(backend) && except?.has(backend) !== true);
        if (chosen !== undefined) return chosen;
      }
    }
    return undefined;
  }

  #best(name: StrategyName, host: string, usable: (backend: Backend) => boolean): Backend | undefined {
    let best: Backend[] = [];
    let bestFit = 1;
    for (const { backend, reach } of this.#members) {
      const fit = strategies[name](host, reach);
      if (fit < bestFit || !usable(backend)) continue;
      if (fit > bestFit) best = [];
      bestFit = fit;
      best.push(backend);
    }
    return best[Math.floor(this.#random() * best.length)];
  }

  /** Distinct identifiers that a strategy can choose now, as the original counts ready backends. */
  readyBackends(name: StrategyName): number {
    const identifiers = new Set<string>();
    for (const { backend, reach } of this.#members) {
      if (name === "destHost") { for (const host of reach.hosts) identifiers.add(host); }
      else if (name === "default" || reach.defaultRoute) identifiers.add(backend.info.agentId);
    }
    return identifiers.size;
  }

  /** An agent is connected that at least one strategy can choose. */
  get ready(): boolean {
    return this.#members.some(({ reach }) =>
      this.#strategies.some((name) =>
        name === "default" ||
        (name === "defaultRoute" ? reach.defaultRoute : reach.hosts.size + reach.ranges.length > 0)
      )
    );
  }
}

function isFree(backend: Backend): boolean {
  return !backend.draining && !backend.stalled;
}

function isDraining(backend: Backend): boolean {
  return backend.draining && !backend.stalled;
}

function isStalled(backend: Backend): boolean {
  return backend.stalled;
}
