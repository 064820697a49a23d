import type { Owner } from "../faults/fault.ts";
import { follow } from "../faults/owned.ts";
import { flowLimits } from "../mux/flow_limits.ts";
import { GrowthBudget } from "../streams/growth_budget.ts";
import type { PacketCounts } from "../wire/packet_counts.ts";
import type { AgentEvents, AgentGauges, AgentSegment } from "./agent_events.ts";
import { type AgentLimits, agentLimits } from "./agent_limits.ts";
import type { Clock, Deadline } from "../runtime/clock.ts";
import type { AgentTracer } from "./dial_span.ts";
import type { Dialler } from "./dialler.ts";
import { ServerSet, type ServerSetChange } from "./servers/server_set.ts";
import type { ServerSetOptions } from "./servers/server_set_options.ts";

/** What the proxy-agent's core needs to know; sockets, files and flags are the composition's. */
export interface ProxyAgentOptions {
  readonly servers: ServerSetOptions;
  readonly dial: Dialler;
  readonly clock: Clock;
  readonly events: AgentEvents;
  /** Where the links' streams count their packets. */
  readonly packets: Readonly<Record<AgentSegment, PacketCounts>>;
  readonly limits?: AgentLimits;
  /** What all receive windows may grow by together; absent: the default. */
  readonly growth?: GrowthBudget;
  /** Traces dials; absent: nothing is traced. */
  readonly tracer?: AgentTracer;
  readonly times?: AgentTimes;
}

/** Times of the end of an agent, in milliseconds. */
export interface AgentTimes {
  /** How long an agent that drains must be without tunnels before it ends: a dial may be on its way. */
  readonly quietMs: number;
  /** How long links may take to close in order. */
  readonly closeMs: number;
}

/** The defaults. */
export const agentTimes: AgentTimes = { quietMs: 2_000, closeMs: 2_000 };

const shutdownReason = "agent is shutting down";

/** The proxy-agent without its sockets: links to servers, tunnels to destinations, and an orderly end. */
export class ProxyAgent implements AgentGauges, Owner {
  readonly place = "agent";
  readonly packets: Readonly<Record<AgentSegment, PacketCounts>>;
  /** What all receive windows may grow by together. */
  readonly growth: GrowthBudget;
  /** Fulfilled when the agent has ended and nothing of it is left; never rejects. */
  readonly closed: Promise<void>;
  readonly #set: ServerSet;
  readonly #clock: Clock;
  readonly #times: AgentTimes;
  readonly #ended = Promise.withResolvers<void>();
  #draining = false;
  #closing = false;
  #drainLimit: Deadline | undefined;
  /** The wait for a late dial, while there is one. */
  #quiet: Deadline | undefined;
  #closeLimit: Deadline | undefined;

  constructor(options: ProxyAgentOptions) {
    this.packets = options.packets;
    this.growth = options.growth ?? new GrowthBudget(flowLimits.growthBudgetBytes);
    this.closed = this.#ended.promise;
    this.#clock = options.clock;
    this.#times = options.times ?? agentTimes;
    const context = {
      dial: options.dial,
      clock: options.clock,
      limits: options.limits ?? agentLimits,
      events: options.events,
      budget: this.growth,
      ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
    };
    this.#set = new ServerSet(options.servers, context, (change) => this.#changed(change));
  }

  /** Starts to connect to servers. */
  start(): void {
    this.#set.start();
  }

  /** At least one server can send dials. */
  get ready(): boolean {
    return this.serverConnections > 0;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** The links, and the ways to servers. */
  get serverSet(): ServerSet {
    return this.#set;
  }

  /**
   * Begins the end: servers are asked to use other agents, tunnels run on, dials that come all the same are served, since
   * there may be no other agent. When no tunnel has been left for a moment, or at the time limit, the agent closes.
   * @param timeoutMs 0: no limit
   */
  drain(timeoutMs: number): void {
    if (this.#draining || this.#closing) return;
    this.#draining = true;
    this.#set.drain();
    if (timeoutMs > 0) this.#drainLimit = this.#clock.after(timeoutMs, () => follow(this, this.close()), this);
    this.#changed("links");
  }

  /** Closes in order: servers are notified of every tunnel's end, and move dials that have not been taken to other agents. */
  close(): Promise<void> {
    if (this.#closing) return this.closed;
    this.#closing = true;
    this.#quiet?.cancel();
    this.#drainLimit?.cancel();
    this.#closeLimit = this.#clock.after(this.#times.closeMs, () => this.#set.destroy(shutdownReason), this);
    this.#set.close(shutdownReason);
    this.#changed("links");
    return this.closed;
  }

  /** Drops everything at once. */
  destroy(): Promise<void> {
    follow(this, this.close());
    this.#set.destroy(shutdownReason);
    this.#changed("links");
    return this.closed;
  }

  /** {@link Owner}: an agent that cannot end in order ends all the same; one that runs goes on. */
  faulted(): void {
    if (this.#closing || this.#draining) this.#ended.resolve();
  }

  // ---- AgentGauges ----

  get serverConnections(): number {
    return this.#set.connections.size;
  }

  get knownServerCount(): number {
    return this.#set.serverCount;
  }

  get endpointConnections(): number {
    let sockets = 0;
    for (const link of this.#set.links()) sockets += link.socketCount;
    return sockets;
  }

  get pendingDials(): number {
    let dials = 0;
    for (const link of this.#set.links()) dials += link.pendingDials;
    return dials;
  }

  get queuedBytes(): number {
    let bytes = 0;
    for (const link of this.#set.links()) bytes += link.queuedBytes;
    return bytes;
  }

  *servers(): IterableIterator<{ readonly serverId: string; readonly tunnels: number }> {
    for (const [serverId, { link }] of this.#set.connections) yield { serverId, tunnels: link.tunnelCount };
  }

  // ---- own ----

  #changed(change: ServerSetChange): void {
    const links = [...this.#set.links()];
    if (this.#closing) {
      if (links.length > 0) return;
      this.#closeLimit?.cancel();
      this.#ended.resolve();
      return;
    }
    if (!this.#draining) return;
    const idle = links.every((link) => link.idle);
    // A tunnel has just ended, and another dial may be on its way. Links that only come and go prove no need to wait.
    if (!idle || change === "idle") {
      this.#quiet?.cancel();
      this.#quiet = undefined;
    }
    if (!idle || this.#quiet !== undefined) return;
    this.#quiet = this.#clock.after(this.#times.quietMs, () => {
      this.#quiet = undefined;
      if ([...this.#set.links()].every((link) => link.idle)) follow(this, this.close());
    }, this);
  }
}
