import { agentLimits } from "../../../src/agent/agent_limits.ts";
import { noAgentEvents } from "../../../src/agent/agent_events.ts";
import { ProxyAgent } from "../../../src/agent/proxy_agent.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import { PacketCounts } from "../../../src/wire/packet_counts.ts";
import { VirtualClock } from "../../support/fakes/virtual_clock.ts";
import { Random } from "../random.ts";
import { ModelServer } from "./model_server.ts";

/** Leases of servers that end without a word hold for so long, in milliseconds; a watch reports a change within so much. */
const leaseMs = 30_000;
const watchMs = 500;
/** How long a name service may lag behind, in milliseconds. */
const namesMs = 5_000;

const owner = ownerOf("servers");
const noCounts = { from_agent: new PacketCounts(), to_agent: new PacketCounts() };

/** How large a fleet is. */
export interface FleetSize {
  readonly servers: number;
  readonly agents: number;
  /** Reviews of agents' tokens by each server; absent: agents have no tokens. */
  readonly reviewsPerSecond?: number;
}

/** How a fleet became whole again. */
export interface Recovery {
  /** Until so many of the agents had a link to each server, in seconds. */
  readonly halfS: number;
  readonly mostS: number;
  readonly allS: number;
  /** Links that a server made within a second, at most. */
  readonly peakLinks: number;
  /** Attempts for each link that was missing. */
  readonly attempts: number;
}

/**
 * Many agents with their real decisions (set of servers, backoff, resolution), servers by model. Leases are by model, too: what
 * is simulated of them with the real code is in the other scenarios.
 */
export class LargeFleet {
  readonly clock = new VirtualClock(0, 0);
  readonly size: FleetSize;
  readonly #random: Random;
  /** By address; an address may have another server later. */
  readonly #servers = new Map<string, ModelServer>();
  readonly #agents: ProxyAgent[] = [];
  #names: readonly string[] = [];
  #leases = 0;
  readonly #onLeases: (() => void)[] = [];
  #made = 0;

  constructor(size: FleetSize, seed: string) {
    this.size = size;
    this.#random = new Random(seed);
    for (let at = 0; at < size.servers; at++) this.#newServer();
    this.#names = [...this.#servers.keys()];
    this.#leases = size.servers;
    for (let at = 0; at < size.agents; at++) this.#agents.push(this.#agent(at));
  }

  get servers(): readonly ModelServer[] {
    return [...this.#servers.values()];
  }

  /** Agents start within so many milliseconds. */
  async start(withinMs: number): Promise<void> {
    for (const agent of this.#agents) this.#later(withinMs * this.#random.next(), () => agent.start());
    await this.run(withinMs);
  }

  async run(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    do {
      for (let step = 0; step < 16; step++) await undefined;
    } while (this.clock.step(until));
    this.clock.advance(until - this.clock.now());
  }

  /** A server comes, at an address of its own. */
  addServer(): void {
    this.#newServer();
    this.#renamed();
    this.#leased(1, watchMs);
  }

  #newServer(): void {
    const id = `server-${this.#made++}`;
    const server = new ModelServer(id, this.clock, this.#random.fork(id), this.size.reviewsPerSecond);
    this.#servers.set(id, server);
  }

  /** A server ends in order: it gives its lease up, drains, and is gone after a while. */
  retire(server: ModelServer, graceMs: number): void {
    this.#leased(-1, watchMs);
    server.drain();
    this.#later(graceMs, () => this.#remove(server, false));
  }

  /** A server is gone without a word. */
  lose(server: ModelServer): void {
    this.#leased(-1, leaseMs);
    this.#remove(server, true);
  }

  /** The process of a server is gone and is there again after a while, under the same address and with the same lease. */
  restart(server: ModelServer, downMs: number): void {
    server.stop(false);
    this.#later(downMs, () => {
      server.up = true;
    });
  }

  /** Lets time pass until each agent has a link to each server that is up. */
  async recover(limitS: number): Promise<Recovery> {
    const since = this.clock.now();
    const attemptsBefore = this.#sum(({ attempts }) => attempts);
    const linksBefore = this.servers.map(({ linkedAt }) => linkedAt.length);
    const missing = this.#missing();
    let [halfS, mostS] = [Infinity, Infinity];
    for (let second = 0; second <= limitS; second++) {
      const share = this.#wholeShare();
      if (share >= 0.5) halfS = Math.min(halfS, second);
      if (share >= 0.99) mostS = Math.min(mostS, second);
      if (share === 1) {
        const peakLinks = Math.max(
          ...this.servers.map(({ linkedAt }, at) => peak(linkedAt.slice(linksBefore[at] ?? 0))),
        );
        const attempts = (this.#sum((server) => server.attempts) - attemptsBefore) / Math.max(1, missing);
        return { halfS, mostS, allS: (this.clock.now() - since) / 1000, peakLinks, attempts };
      }
      await this.run(1_000);
    }
    throw new Error(`not whole after ${limitS} s: ${this.#missing()} links are missing`);
  }

  /** Ends all agents. */
  async close(): Promise<void> {
    for (const agent of this.#agents) void agent.destroy();
    await this.run(1_000);
  }

  #missing(): number {
    const up = this.servers.filter((server) => server.up).map(({ id }) => id);
    let missing = 0;
    for (const { serverSet: { connections } } of this.#agents) for (const id of up) if (!connections.has(id)) missing++;
    return missing;
  }

  #wholeShare(): number {
    const up = this.servers.filter((server) => server.up).map(({ id }) => id);
    const whole = this.#agents.filter(({ serverSet: { connections } }) => up.every((id) => connections.has(id)));
    return whole.length / this.#agents.length;
  }

  #sum(of: (server: ModelServer) => number): number {
    return this.servers.reduce((sum, server) => sum + of(server), 0);
  }

  #remove(server: ModelServer, silently: boolean): void {
    server.stop(silently);
    this.#servers.delete(server.id);
    this.#renamed();
  }

  /** The name service learns of it. */
  #renamed(): void {
    this.#later(namesMs * this.#random.next(), () => {
      this.#names = [...this.#servers.keys()];
    });
  }

  #leased(by: number, ms: number): void {
    this.#later(ms * (1 + this.#random.next()) / 2, () => {
      this.#leases += by;
      for (const onLeases of this.#onLeases) this.#later(watchMs * this.#random.next(), onLeases);
    });
  }

  #later(ms: number, step: () => void): void {
    this.clock.after(ms, step, owner);
  }

  #agent(number: number): ProxyAgent {
    const random = this.#random.fork(`agent ${number}`);
    return new ProxyAgent({
      dial: () => new Promise(() => {}),
      clock: this.clock,
      events: noAgentEvents,
      packets: noCounts,
      limits: agentLimits,
      servers: {
        hosts: ["servers"],
        port: 8091,
        identity: { agentId: `agent-${number}`, identifiers: "" },
        transport: (target, signal) => this.#connect(target.host, signal),
        resolve: () => Promise.resolve(this.#names),
        syncIntervalMs: 1_000,
        syncIntervalCapMs: 10_000,
        syncForever: false,
        // Pings are by model: each link would have two deadlines for ever.
        keepalive: { timeMs: 0, timeoutMs: 10_000 },
        countSource: "default",
        counter: { count: () => this.#leases, onChange: (listener) => void this.#onLeases.push(listener) },
        random: random.next,
      },
    });
  }

  #connect(host: string, signal: AbortSignal) {
    const server = this.#servers.get(host);
    if (server !== undefined) return server.connect(signal, () => this.#leases);
    return new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
}

/** Most moments within one second. */
function peak(moments: readonly number[]): number {
  let [first, most] = [0, 0];
  for (const [last, at] of moments.entries()) {
    while (at - (moments[first] ?? at) > 1_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
