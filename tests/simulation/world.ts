import { ownerOf } from "../../src/faults/owned.ts";
import { flowLimits } from "../../src/mux/flow_limits.ts";
import { GrowthBudget } from "../../src/streams/growth_budget.ts";
import { VirtualClock } from "../support/fakes/virtual_clock.ts";
import { HarmLog } from "./faults/harm.ts";
import { HostClock } from "./host_clock.ts";
import type { Mutant } from "./mutants.ts";
import { agentNotes, serverNotes } from "./noted_events.ts";
import { anyPort, Network, type Way } from "./network/network.ts";
import type { AgentPlan, HostPlan, Plan } from "./plan.ts";
import { AgentProcess } from "./processes/agent_process.ts";
import { hosts, serversName } from "./processes/ports.ts";
import { inBackground, probedPort, probesEvery, ServerProcess } from "./processes/server_process.ts";
import { memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { leaseName, leaseTimes } from "../../src/kube/leases/lease_controller.ts";
import { bodyOf, SimKubeApi } from "./processes/sim_kube_api.ts";
import { Random } from "./random.ts";
import { type Between, settledSteps } from "./settled_steps.ts";
import { Timeline } from "./timeline.ts";
import { TunnelRun } from "./workload/tunnel_run.ts";

const beganAt = Date.UTC(2030, 0, 1);

/** What a run was found to break. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** How a world is run. */
export interface WorldOptions {
  readonly recording: boolean;
  readonly mutant: Mutant | undefined;
  /** What passes between two events. */
  readonly between: Between;
}

/** A fleet, its clients and destinations, and the network between them: one run of a plan. */
export class World {
  readonly clock = new VirtualClock(beganAt, 0);
  readonly plan: Plan;
  readonly random: Random;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly harm = new HarmLog();
  readonly kube: SimKubeApi | undefined;
  /** By host; undefined while the process is not there. */
  readonly servers = new Map<string, ServerProcess | undefined>();
  readonly agents = new Map<string, AgentProcess | undefined>();
  readonly tunnels: TunnelRun[] = [];
  /** The first thing that was found wrong. */
  violation: string | undefined;
  readonly #ways = new Map<string, Map<string, Way>>();
  readonly #mutant: Mutant;
  readonly #between: Between;
  #processes = 0;

  constructor(plan: Plan, { recording, mutant = {}, between }: WorldOptions) {
    this.#between = between;
    this.plan = plan;
    this.#mutant = mutant;
    this.random = new Random(plan.seed);
    this.timeline = new Timeline(this.clock.now, recording);
    this.network = new Network(this.clock, this.random.fork("network"), this.timeline, this.#wayOf);
    if (plan.scenario.leases === true) this.kube = new SimKubeApi(this.clock, this.network, this.#leaseDeleted);
    this.network.listen(hosts.silent, anyPort, () => {});
    this.network.setFull(hosts.silent, true);
    this.network.listen(hosts.cluster, probedPort, (socket) => {
      socket.on("data", () => {});
      socket.on("end", () => socket.end());
    });
    for (const host of plan.servers) this.#at(host.startsAtMs, () => this.startServer(host));
    for (const host of plan.agents) this.#at(host.startsAtMs, () => this.startAgent(host));
    if (mutant.deletesLeases === true) this.#at(20_000, () => inBackground(this.#deleteLease()));
    for (const tunnel of plan.tunnels) {
      this.#at(tunnel.atMs, () => {
        const server = plan.servers[tunnel.server % plan.servers.length]?.name ?? "";
        const run = new TunnelRun(tunnel, server, {
          clock: this.clock,
          network: this.network,
          timeline: this.timeline,
          random: this.random.fork(`dial ${tunnel.number}`),
          violated: this.violated,
        });
        this.tunnels.push(run);
        inBackground(run.begin());
      });
    }
  }

  readonly violated = (what: string): void => {
    if (this.violation !== undefined) return;
    this.violation = what;
  };

  /** Lets time pass. @throws {Violation} as soon as one is found */
  async run(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await settledSteps(this.#between, () => {
      if (this.violation !== undefined) throw new Violation(this.violation);
      return this.clock.step(until);
    });
    this.clock.advance(until - this.clock.now());
  }

  startServer(host: HostPlan): void {
    if (this.servers.get(host.name) !== undefined) return;
    const { scenario, servers } = this.plan;
    const { probeEvery } = scenario;
    const { clock, random } = this.#process(host);
    const { aroundClient } = this.#mutant;
    // Through a balancer agents find a server by chance.
    const found = scenario.entry === "balancer" ? this.harm.addUnlinked(this.clock.now(), host.name) : undefined;
    const server = new ServerProcess({
      host: host.name,
      clock,
      random,
      network: this.network,
      server: {
        serverCount: () => servers.length,
        strategies: scenario.strategies ?? ["default"],
        dialTimeoutMs: 30_000,
        maxLinkAgeMs: 1000 * (scenario.serverLinkAge ?? 0),
        events: serverNotes(host.name, this.timeline, () => found?.(this.clock.now())),
        growth: this.#growth(),
        ...(probeEvery === undefined ? {} : { probes: probesEvery(1000 * probeEvery) }),
      },
      kube: this.kube?.transport(host.name),
      ...(aroundClient === undefined ? {} : { aroundClient }),
    });
    this.servers.set(host.name, server);
    server.start();
    this.timeline.note(() => `${host.name} starts`);
  }

  startAgent(host: AgentPlan): void {
    if (this.agents.get(host.name) !== undefined) return;
    const { scenario } = this.plan;
    const { clock, random } = this.#process(host);
    const { aroundLink, aroundDestination } = this.#mutant;
    const agent = new AgentProcess({
      host: host.name,
      clock,
      random,
      network: this.network,
      link: host.link,
      identifiers: host.identifiers,
      events: agentNotes(host.name, this.timeline),
      resolve: () => Promise.resolve(this.#addresses()),
      route: (name) => name === serversName ? this.#anyServer(random) : name,
      maxLinkAgeMs: 1000 * (scenario.agentLinkAge ?? 0),
      growth: this.#growth(),
      syncIntervalCapMs: 10_000,
      kube: this.kube?.transport(host.name),
      ...(aroundLink === undefined ? {} : { aroundLink }),
      ...(aroundDestination === undefined ? {} : { aroundDestination }),
    });
    this.agents.set(host.name, agent);
    agent.start();
    this.timeline.note(() => `${host.name} starts, with ${host.link} links`);
  }

  /** No lease may be deleted by another while its server lives and renews it. */
  readonly #leaseDeleted = (name: string, by: string): void => {
    const owner = [...this.liveServers()].find(({ host }) => leaseName(host) === name);
    if (owner === undefined || owner.host === by) return;
    const agoMs = this.clock.now() - (this.kube?.renewals.get(name) ?? -Infinity);
    if (agoMs < 1000 * leaseTimes.durationSeconds) {
      this.violated(`${by} deleted the lease of ${owner.host}, which lives and renewed it ${Math.round(agoMs)} ms ago`);
    }
  };

  /** Deletes the lease of a server that lives, as no program of this project does. */
  async #deleteLease(): Promise<void> {
    const { kube } = this;
    const [server] = this.liveServers();
    if (kube === undefined || server === undefined) return;
    const signal = new AbortController().signal;
    const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${leaseName(server.host)}`;
    const lease: unknown = JSON.parse(await bodyOf(await kube.transport("rogue")({ method: "GET", path }, signal)));
    const preconditions = { uid: textMember(memberOf(lease, "metadata"), "uid") };
    await kube.transport("rogue")({ method: "DELETE", path, body: JSON.stringify({ preconditions }) }, signal);
  }

  /** What passes each way on the slowest way that was used, in bytes a millisecond: a system sends its buffer once a round trip. */
  get slowestBytesPerMs(): number {
    let slowest = Infinity;
    for (const ways of this.#ways.values()) {
      for (const { bytesPerMs, bufferBytes, delayMs, jitter } of ways.values()) {
        slowest = Math.min(slowest, bytesPerMs, bufferBytes / (2 * delayMs * (1 + jitter)));
      }
    }
    return slowest;
  }

  /** Servers that are there. */
  *liveServers(): IterableIterator<ServerProcess> {
    for (const server of this.servers.values()) if (server !== undefined) yield server;
  }

  *liveAgents(): IterableIterator<AgentProcess> {
    for (const agent of this.agents.values()) if (agent !== undefined) yield agent;
  }

  #growth(): GrowthBudget {
    return new GrowthBudget(this.plan.scenario.growthBytes ?? flowLimits.growthBudgetBytes);
  }

  #at(ms: number, step: () => void): void {
    this.clock.after(ms, step, ownerOf("timer"));
  }

  #process(host: HostPlan): { clock: HostClock; random: Random } {
    const random = this.random.fork(`process ${++this.#processes} ${host.name}`);
    return { clock: new HostClock(this.clock, host.skew, random.fork("clock")), random };
  }

  /** What the servers' name resolves to: one that leads to any of them, or all. */
  #addresses(): string[] {
    if (this.plan.scenario.entry === "balancer") return [serversName];
    return this.plan.servers.map(({ name }) => name);
  }

  #anyServer(random: Random): string {
    const there = [...this.liveServers()].map(({ host }) => host);
    return there.length === 0 ? this.plan.servers[0]?.name ?? "" : random.pick(there);
  }

  readonly #wayOf = (from: string, to: string): Way => {
    let ways = this.#ways.get(from);
    if (ways === undefined) this.#ways.set(from, ways = new Map());
    let way = ways.get(to);
    if (way === undefined) ways.set(to, way = this.#drawWay(from, to));
    return way;
  };

  #drawWay(from: string, to: string): Way {
    const [a = "", b = ""] = [from, to].toSorted();
    const random = this.random.fork(`way ${a} ${b}`);
    const { delayMs = [0.1, 40], bytesPerMs = [500, 500_000], bufferBytes = [32 * 1024, 1024 * 1024] } =
      this.plan.scenario;
    return {
      delayMs: random.spread(...delayMs),
      jitter: random.pick([0, 0.1, 1]),
      bytesPerMs: random.spread(...bytesPerMs),
      bufferBytes: Math.round(random.spread(...bufferBytes)),
    };
  }
}
