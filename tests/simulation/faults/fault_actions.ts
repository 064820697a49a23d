import { ownerOf } from "../../../src/faults/owned.ts";
import { hosts } from "../processes/ports.ts";
import { inBackground } from "../processes/server_process.ts";
import type { ApiMood } from "../processes/sim_kube_api.ts";
import type { World } from "../world.ts";
import type { FaultKind, FaultPlan } from "./fault_plan.ts";
import { noticedMs } from "./harm.ts";

/** What a process has to end in order, in milliseconds of its own clock. */
const graceMs = 5_000;
/** What it may take beyond that. */
const lastWordsMs = 12_000;
/** A cut that is no longer than this breaks nothing that lives, since nobody may take a peer for dead so soon. */
const harmlessCutMs = 9_000;

/** Has the plan's faults happen, and heals them. */
export class Faults {
  readonly #world: World;
  /** What heals those that are there, once. */
  readonly #open = new Set<() => void>();
  readonly counts = new Map<FaultKind, number>();
  /** Nothing begins any more. */
  #over = false;

  constructor(world: World) {
    this.#world = world;
    for (const fault of world.plan.faults) this.#after(fault.atMs, () => this.#begin(fault));
  }

  /** Heals everything. */
  healAll(): void {
    this.#over = true;
    for (const heal of [...this.#open]) heal();
    const { plan } = this.#world;
    for (const host of plan.servers) this.#world.startServer(host);
    for (const host of plan.agents) this.#world.startAgent(host);
  }

  #begin(fault: FaultPlan): void {
    if (this.#over) return;
    const { plan, timeline } = this.#world;
    const server = plan.servers[fault.server % plan.servers.length]?.name ?? "";
    const agent = plan.agents[fault.agent % plan.agents.length]?.name ?? "";
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    timeline.note(() => `fault: ${fault.kind} (${server}, ${agent}, ${Math.round(fault.forMs)} ms)`);
    const heal = this.#do(fault, server, agent);
    if (heal === undefined) return;
    const once = () => {
      if (!this.#open.delete(once)) return;
      timeline.note(() => `healed: ${fault.kind} (${server}, ${agent})`);
      heal();
    };
    this.#open.add(once);
    this.#after(fault.forMs, once);
  }

  /** @returns what heals it; undefined where there is nothing to heal */
  #do(fault: FaultPlan, server: string, agent: string): (() => void) | undefined {
    const { share } = fault;
    const { network } = this.#world;
    switch (fault.kind) {
      case "links reset":
        return void this.#harmNow(network.reset(server, agent, share), server, agent, 0);
      case "links forgotten":
        return void this.#harmNow(network.forget(server, agent, share), server, agent, noticedMs, true);
      case "clients reset":
        return void this.#harmNow(network.reset(hosts.clients, server, share), hosts.clients, server, 0);
      case "clients forgotten":
        return void this.#harmNow(network.forget(hosts.clients, server, share), hosts.clients, server, Infinity);
      case "destinations reset":
        return void this.#harmNow(network.reset(agent, hosts.cluster, share), agent, hosts.cluster, 0);
      case "destinations forgotten":
        return void this.#harmNow(network.forget(agent, hosts.cluster, share), agent, hosts.cluster, Infinity);
      case "link cut":
        return this.#cut(server, agent);
      case "clients cut":
        return this.#cut(hosts.clients, server);
      case "destinations cut":
        return this.#cut(agent, hosts.cluster);
      case "API cut from server":
        return this.#cut(server, hosts.kubernetes);
      case "API cut from agent":
        return this.#cut(agent, hosts.kubernetes);
      case "server killed":
      case "server without power":
        return this.#endServer(server, (process) => process.end(fault.kind === "server without power"), 0);
      case "server stopped":
        return this.#endServer(
          server,
          (process) => inBackground(process.stop(graceMs)),
          this.#inOrderMs(server, fault),
        );
      case "agent killed":
      case "agent without power": {
        const isSilent = fault.kind === "agent without power";
        return this.#endAgent(agent, (process) => process.end(isSilent), 0, isSilent);
      }
      case "agent stopped":
        return this.#endAgent(
          agent,
          (process) => inBackground(process.stop(graceMs)),
          this.#inOrderMs(agent, fault),
        );
      case "server full":
        return this.#full(server);
      case "agent full":
        return this.#full(agent);
      case "server's clock set":
        this.#world.servers.get(server)?.clock.setAhead(fault.aheadMs);
        return undefined;
      case "agent's clock set":
        this.#world.agents.get(agent)?.clock.setAhead(fault.aheadMs);
        return undefined;
      default:
        return this.#api(fault.kind);
    }
  }

  #api(kind: FaultKind): (() => void) | undefined {
    const { kube } = this.#world;
    if (kube === undefined) return undefined;
    const { harm, clock } = this.#world;
    const end = harm.add(clock.now(), clock.now(), hosts.kubernetes);
    if (kind === "API forgets") return void kube.store.compact();
    if (kind === "API ends watches") return void kube.store.endWatches();
    const moods: Partial<Record<FaultKind, ApiMood>> = {
      "API slow": "slow",
      "API throttled": "throttled",
      "API fails": "fails",
      "API wrong": "wrong",
    };
    kube.mood = moods[kind] ?? "sound";
    end(Infinity);
    return () => {
      kube.mood = "sound";
      end(clock.now());
    };
  }

  #cut(a: string, b: string): () => void {
    const { network, harm, clock } = this.#world;
    const since = clock.now();
    network.cut(a, b);
    const end = harm.add(since, Infinity, a, b, true);
    return () => {
      network.heal(a, b);
      const tookMs = clock.now() - since;
      // What was broken by then shows within the time in which a dead link is noticed.
      end(tookMs < harmlessCutMs ? -Infinity : clock.now() + noticedMs);
      if (tookMs < harmlessCutMs) harm.addForDials(since, clock.now());
    };
  }

  #full(host: string): () => void {
    const { network, harm, clock } = this.#world;
    const since = clock.now();
    network.setFull(host, true);
    return () => {
      network.setFull(host, false);
      harm.addForDials(since, clock.now());
    };
  }

  #endServer(host: string, end: (process: NonNullable<ReturnType<World["servers"]["get"]>>) => void, inMs: number) {
    const { servers, plan } = this.#world;
    const process = servers.get(host);
    const described = plan.servers.find(({ name }) => name === host);
    if (process === undefined || described === undefined) return undefined;
    servers.set(host, undefined);
    this.#harmed(host, inMs, false);
    end(process);
    return () => {
      // It may not have had all of its time.
      if (inMs > 0) this.#harmed(host, 0, false);
      process.end(false);
      this.#world.startServer(described);
    };
  }

  #endAgent(
    host: string,
    end: (process: NonNullable<ReturnType<World["agents"]["get"]>>) => void,
    inMs: number,
    silent = false,
  ) {
    const { agents, plan } = this.#world;
    const process = agents.get(host);
    const described = plan.agents.find(({ name }) => name === host);
    if (process === undefined || described === undefined) return undefined;
    agents.set(host, undefined);
    this.#harmed(host, inMs, silent);
    end(process);
    return () => {
      if (inMs > 0) this.#harmed(host, 0, false);
      process.end(false);
      this.#world.startAgent(described);
    };
  }

  /** How long a process that is stopped is there in any case: a fast clock shortens it. */
  #inOrderMs(host: string, { forMs }: FaultPlan): number {
    const { servers, agents } = this.#world.plan;
    const described = [...servers, ...agents].find(({ name }) => name === host);
    return Math.min(forMs, graceMs / (described?.skew.rate ?? 1));
  }

  /** @param inMs what it has to end in order: a tunnel that is over by then is not broken */
  #harmed(host: string, inMs: number, silent: boolean): void {
    const { harm, clock } = this.#world;
    const from = clock.now() + inMs;
    harm.add(from, from + lastWordsMs + noticedMs, host, undefined, silent);
    // A server that is about to end takes no dials.
    if (inMs > 0 && this.#world.servers.has(host)) harm.addForDials(clock.now(), from);
    else if (inMs > 0) harm.addDrain(clock.now(), from, host);
  }

  #harmNow(hit: number, a: string, b: string, forMs: number, silent = false): void {
    const { harm, clock, timeline } = this.#world;
    timeline.note(() => `  ${hit} connections`);
    if (hit > 0) harm.add(clock.now(), clock.now() + forMs, a, b, silent);
  }

  #after(ms: number, step: () => void): void {
    this.#world.clock.after(ms, step, ownerOf("timer"));
  }
}
