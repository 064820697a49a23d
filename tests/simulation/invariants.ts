import { flowLimits } from "../../src/mux/flow_limits.ts";
import { leaseName } from "../../src/kube/leases/lease_controller.ts";
import type { ProxyServer } from "../../src/server/proxy_server.ts";
import type { Scenario } from "./plan.ts";
import type { TunnelRun } from "./workload/tunnel_run.ts";
import { Violation, type World } from "./world.ts";

/** What both ends of a link may hold of a tunnel beyond its windows: what was read when the window ended. */
const readBytes = 2 * 64 * 1024;

/**
 * How long a fleet may take to be whole again once nothing is broken any more: a dead link is noticed within 30 s, and a server
 * that was away is tried again within the cap between attempts, after a connection that may take 20 s and an answer that may
 * take 10. Through a balancer servers are found by chance.
 */
export function convergenceMs({ entry = "names" }: Scenario): number {
  return entry === "balancer" ? 600_000 : 120_000;
}

/** What must hold at every moment. */
export function bounds(world: World): void {
  const { initialWindowBytes } = flowLimits;
  const growthBudgetBytes = growthOf(world.plan.scenario);
  const most = world.plan.tunnels.length * (initialWindowBytes + readBytes) + growthBudgetBytes;
  for (const { host, server } of world.liveServers()) {
    let all = 0;
    for (const backend of server.pool.all()) {
      const { queuedBytes, tunnelCount } = backend;
      all += queuedBytes;
      if (!backend.info.features.has("window")) continue;
      const limit = tunnelCount * (initialWindowBytes + readBytes) + growthBudgetBytes - server.growth.remaining;
      if (queuedBytes > limit) throw new Violation(`${host} holds ${queuedBytes} bytes of ${tunnelCount} tunnels`);
    }
    if (all > most) throw new Violation(`${host} holds ${all} bytes`);
    checkGrowth(host, server.growth.remaining, growthBudgetBytes);
  }
  for (const { host, agent } of world.liveAgents()) checkGrowth(host, agent.growth.remaining, growthBudgetBytes);
}

/** What all windows of a process may grow by together, in bytes. */
function growthOf({ growthBytes = flowLimits.growthBudgetBytes }: Scenario): number {
  return growthBytes;
}

function checkGrowth(host: string, remaining: number, budget: number): void {
  if (remaining >= 0 && remaining <= budget) return;
  throw new Violation(`${host} has ${remaining} bytes for windows to grow by`);
}

/** What is missing until each agent is linked to each server; undefined: nothing. */
export function unconverged(world: World): string | undefined {
  const servers = [...world.liveServers()];
  const dead = world.network.deadBetween("agent", "server");
  if (dead !== undefined) return `the connection between ${dead} is dead, and was not noticed`;
  for (const { host, agent } of world.liveAgents()) {
    if (agent.serverConnections !== servers.length) {
      return `${host} has links to ${agent.serverConnections} of ${servers.length} servers`;
    }
    for (const { host: id } of servers) {
      if (!agent.serverSet.connections.has(id)) return `${host} has no link to ${id}`;
    }
  }
  const agents = [...world.liveAgents()].length;
  for (const { host, server } of servers) {
    const links = linksInUse(server, world.plan.scenario);
    if (links !== agents) return `${host} has ${links} links of ${agents} agents`;
  }
  return undefined;
}

/** The links that a server counts on, one an agent where all is well. */
function linksInUse({ pool }: ProxyServer, { serverLinkAge = Infinity }: Scenario): number {
  const links = [...pool.all()];
  // A link that another has replaced drains, and stays until its last tunnel has ended.
  const fresh = links.filter(({ draining }) => !draining);
  const linked = new Set(fresh.map(({ info }) => info.agentId));
  // One that is too old stays as long, and its agent, which was not told, has another only then.
  const old = links.filter(({ draining, seconds }) => draining && seconds >= serverLinkAge)
    .map(({ info }) => info.agentId).filter((agentId) => !linked.has(agentId));
  return fresh.length + new Set(old).size;
}

/** Whether a fault may have broken a tunnel. */
function mayBeBroken(world: World, tunnel: TunnelRun): boolean {
  const until = tunnel.over ? tunnel.endedAtMs ?? tunnel.beganAtMs : world.clock.now();
  const { server, agents, beganAtMs, outcome } = tunnel;
  if (outcome?.error === undefined && world.harm.mayHaveHit(server, agents, beganAtMs, until)) return true;
  // A dial that fails may have had no agent to go to.
  const all = world.plan.agents.map(({ name }) => name);
  return outcome?.error !== undefined && world.harm.dialMayFail(server, all, beganAtMs, until);
}

function breaksItself({ plan }: TunnelRun): boolean {
  return plan.client.breaksAfterMs !== undefined || plan.destination.breaksAfterMs !== undefined;
}

/** A tunnel that must end well. */
function isSound(world: World, tunnel: TunnelRun): boolean {
  const { kind, givesUpAfterMs } = tunnel.plan;
  return kind !== "idle" && givesUpAfterMs === undefined && !breaksItself(tunnel) && !mayBeBroken(world, tunnel);
}

/** What must still end by itself; undefined: nothing. */
export function unfinished(world: World): string | undefined {
  return world.tunnels.find((tunnel) => tunnel.outcome === undefined || (!tunnel.complete && isSound(world, tunnel)))
    ?.state;
}

/** How many tunnels there were, and how many of them had to end well. */
export function tunnelCounts(world: World): { readonly unharmed: number } {
  return { unharmed: world.tunnels.filter((tunnel) => isSound(world, tunnel)).length };
}

/** What must hold of each tunnel at the end of its life. */
export function tunnels(world: World): void {
  for (const tunnel of world.tunnels) {
    if (tunnel.outcome === undefined) throw new Violation(`a dial was never answered: ${tunnel.state}`);
    const failed = tunnel.outcome.error;
    const { kind, givesUpAfterMs } = tunnel.plan;
    const mayFail = kind === "refused" || kind === "silent" || givesUpAfterMs !== undefined || breaksItself(tunnel);
    if (failed !== undefined && !mayFail && !mayBeBroken(world, tunnel)) {
      throw new Violation(`a dial failed: ${tunnel.state}`);
    }
  }
}

/** What is left of tunnels that have ended; undefined: nothing. */
export function remains(world: World): string | undefined {
  const tunnel = world.tunnels.find((one) => !one.over);
  if (tunnel !== undefined) return `one end has not heard of the end: ${tunnel.state}`;
  for (const { host, server } of world.liveServers()) {
    const left = {
      tunnels: server.establishedTunnels,
      dials: server.pendingDials,
      bytes: server.queuedBytes,
      clients: server.proxyCalls,
      requests: server.connectRequests,
      grown: growthOf(world.plan.scenario) - server.growth.remaining,
    };
    const what = leftOf(left);
    if (what === undefined) continue;
    const open = [...server.pool.all()].flatMap((backend) =>
      [...backend.tunnels()].map(({ target, state, waitsFor }) =>
        `${target.address} through ${backend.info.agentId}, ${state}${
          waitsFor === undefined ? "" : `, waits for ${waitsFor}`
        }`
      )
    );
    return [`${host} has ${what}`, ...open].join("; ");
  }
  for (const { host, agent } of world.liveAgents()) {
    const left = {
      endpoints: agent.endpointConnections,
      dials: agent.pendingDials,
      bytes: agent.queuedBytes,
      grown: growthOf(world.plan.scenario) - agent.growth.remaining,
    };
    const what = leftOf(left);
    if (what !== undefined) return `${host} has ${what}`;
  }
  return undefined;
}

function leftOf(counts: Readonly<Record<string, number>>): string | undefined {
  const left = Object.entries(counts).filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what}`);
  return left.length === 0 ? undefined : `${left.join(", ")} left`;
}

/** In how long what the API is asked is counted, in milliseconds. */
const loadMs = 60_000;
/** Most requests of one process in that time: while the API is well, and whatever it does. */
const mostOfServer = 10;
const mostOfAgent = 10;
const mostEver = 100;

/** What the Kubernetes API was asked must stay within bounds. */
export function apiLoad(world: World): void {
  const byHost = new Map<string, number[]>();
  for (const { from, atMs } of world.kube?.requests ?? []) byHost.set(from, [...byHost.get(from) ?? [], atMs]);
  for (const [host, times] of byHost) {
    const most = host.startsWith("server") ? mostOfServer : mostOfAgent;
    let first = 0;
    for (const [last, until] of times.entries()) {
      while (until - (times[first] ?? until) > loadMs) first++;
      const count = last - first + 1;
      const from = until - 2 * loadMs;
      // A process that starts asks more.
      const isWell = !world.harm.concerned("kubernetes", from, until) && !world.harm.concerned(host, from, until);
      if (count > mostEver || (isWell && count > most)) {
        throw new Violation(`${host} asked the Kubernetes API ${count} times in ${loadMs / 1000} s`);
      }
    }
  }
}

/** Leases must be those of the servers that live, once all is well; undefined: they are. */
export function unleased(world: World): string | undefined {
  if (world.kube === undefined) return undefined;
  const { names } = world.kube.store;
  const expected = [...world.liveServers()].map(({ host }) => leaseName(host)).toSorted();
  return names.join() === expected.join() ? undefined : `there are leases ${names.join()}, not ${expected.join()}`;
}

/** What must hold once the agents have ended. */
export function ended(world: World): void {
  for (const { host, agent, clock } of world.liveAgents()) {
    if (agent.serverConnections > 0) throw new Violation(`${host} has links, and has ended`);
    if (world.kube === undefined && clock.pending > 0) {
      throw new Violation(`${host} has ${clock.pending} deadlines left`);
    }
  }
  for (const { host, server, clock } of world.liveServers()) {
    if (server.pool.size > 0) throw new Violation(`${host} has ${server.pool.size} links of agents that have ended`);
    if (world.kube === undefined && clock.pending > 0) {
      throw new Violation(`${host} has ${clock.pending} deadlines left`);
    }
  }
}
