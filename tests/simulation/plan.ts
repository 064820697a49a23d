import type { StrategyName } from "../../src/server/strategies.ts";
import type { ClockSkew } from "./host_clock.ts";
import type { LinkKind } from "./processes/agent_process.ts";
import type { Random } from "./random.ts";
import type { Frontend } from "./workload/callers.ts";
import { drawTunnel, type TunnelPlan } from "./workload/tunnel_plan.ts";
import { drawFault, type FaultKind, type FaultPlan } from "./faults/fault_plan.ts";

/** A kind of run, in a few words. Everything else of a run is drawn from its seed. */
export interface Scenario {
  readonly name: string;
  readonly servers: number;
  readonly agents: number;
  readonly tunnels: number;
  readonly faults: number;
  /** In which tunnels and faults begin, in seconds. */
  readonly seconds: number;
  /** Of which the faults are. */
  readonly kinds: readonly FaultKind[];
  /** Of which the agents' links are. */
  readonly links: readonly LinkKind[];
  readonly frontends: readonly Frontend[];
  readonly strategies?: readonly StrategyName[];
  /** Agents find servers by their names' addresses, or through one address that leads to any of them. */
  readonly entry?: "names" | "balancer";
  /** Servers hold leases, by which agents count them. */
  readonly leases?: boolean;
  /** How old a link may become, in seconds, at the server or at the agent; absent: as old as it likes. */
  readonly serverLinkAge?: number;
  readonly agentLinkAge?: number;
  /** Clocks run up to so much too fast or slow, and are so many seconds off. */
  readonly drift?: number;
  readonly skewSeconds?: number;
  /** What the windows of a process may grow by together, in bytes; absent: the default. */
  readonly growthBytes?: number;
  /** Servers probe a destination so often, in seconds. */
  readonly probeEvery?: number;
  /** Most bytes of a tunnel, each way. */
  readonly mostBytes?: number;
  /** How far hosts are from each other, in milliseconds. */
  readonly delayMs?: readonly [number, number];
  /** What passes between two hosts in a millisecond, and what their systems hold of each connection, in bytes. */
  readonly bytesPerMs?: readonly [number, number];
  readonly bufferBytes?: readonly [number, number];
}

/** One host, as a run begins with it. */
export interface HostPlan {
  readonly name: string;
  readonly skew: ClockSkew;
  readonly startsAtMs: number;
}

export interface AgentPlan extends HostPlan {
  readonly link: LinkKind;
  readonly identifiers: string;
}

/** Everything that was drawn for a run. Parts of it can be left out, and the rest stays what it is. */
export interface Plan {
  readonly seed: string;
  readonly scenario: Scenario;
  readonly servers: readonly HostPlan[];
  readonly agents: readonly AgentPlan[];
  readonly tunnels: readonly TunnelPlan[];
  readonly faults: readonly FaultPlan[];
}

/** Draws a run. */
export function drawPlan(scenario: Scenario, seed: string, random: Random): Plan {
  const host = (name: string, spreadMs: number): HostPlan => {
    const own = random.fork(name);
    const { drift = 0, skewSeconds = 0 } = scenario;
    const rate = 1 + drift * own.between(-1, 1);
    const aheadMs = Math.round(1000 * skewSeconds * own.between(-1, 1));
    return { name, skew: { rate, aheadMs }, startsAtMs: own.between(0, spreadMs) };
  };
  const servers = range(scenario.servers).map((at) => host(`server-${at}`, 200));
  const agents = range(scenario.agents).map((at) => ({
    ...host(`agent-${at}`, 2_000),
    link: random.fork(`link ${at}`).pick(scenario.links),
    identifiers: ["host=cluster", "default-route=true", ""][at % 3] ?? "",
  }));
  return {
    seed,
    scenario,
    servers,
    agents,
    tunnels: range(scenario.tunnels).map((at) => drawTunnel(at, scenario, random.fork(`tunnel ${at}`)))
      .toSorted((a, b) => a.atMs - b.atMs),
    faults: range(scenario.faults).map((at) => drawFault(at, scenario, random.fork(`fault ${at}`)))
      .toSorted((a, b) => a.atMs - b.atMs),
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
