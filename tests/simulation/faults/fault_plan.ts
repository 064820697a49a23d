import type { Scenario } from "../plan.ts";
import type { Random } from "../random.ts";

/** When faults begin. */
const firstAtMs = 3_000;

/** What can go wrong, one thing at a time. */
export const faultKinds = [
  "links reset",
  "links forgotten",
  "link cut",
  "clients reset",
  "clients forgotten",
  "clients cut",
  "destinations reset",
  "destinations forgotten",
  "destinations cut",
  "server killed",
  "server without power",
  "server stopped",
  "agent killed",
  "agent without power",
  "agent stopped",
  "server full",
  "agent full",
  "server's clock set",
  "agent's clock set",
  "API cut from server",
  "API cut from agent",
  "API slow",
  "API throttled",
  "API fails",
  "API wrong",
  "API forgets",
  "API ends watches",
] as const;

export type FaultKind = typeof faultKinds[number];

/** Those that concern the Kubernetes API. */
export const apiFaults: readonly FaultKind[] = faultKinds.filter((kind) => kind.startsWith("API"));
/** Those that do not. */
export const fleetFaults: readonly FaultKind[] = faultKinds.filter((kind) => !kind.startsWith("API"));

/** A fault that happens. */
export interface FaultPlan {
  readonly kind: FaultKind;
  readonly atMs: number;
  /** For how long, in milliseconds. */
  readonly forMs: number;
  /** Whom it concerns; those that are not there any more are counted round. */
  readonly server: number;
  readonly agent: number;
  /** Which part of the connections between them. */
  readonly share: number;
  /** What a clock is set ahead by, in milliseconds. */
  readonly aheadMs: number;
}

export function drawFault(_number: number, scenario: Scenario, random: Random): FaultPlan {
  return {
    kind: random.pick(scenario.kinds),
    atMs: random.between(firstAtMs, 1000 * scenario.seconds),
    forMs: random.spread(10, 40_000),
    server: random.int(scenario.servers),
    agent: random.int(scenario.agents),
    share: random.chance(0.5) ? 1 : random.next(),
    aheadMs: Math.round(random.between(-300_000, 300_000)),
  };
}
