import type { FaultKind } from "./faults/fault_plan.ts";
import type { Mutant } from "./mutants.ts";
import { drawPlan, type Plan, type Scenario } from "./plan.ts";
import { Random } from "./random.ts";
import { run, type RunResult } from "./run.ts";
import { shrink } from "./shrink.ts";

/** One run, by its name. */
export interface Seed {
  readonly scenario: Scenario;
  readonly number: number;
}

/** A run that broke something. */
export interface Failure {
  readonly seed: Seed;
  /** The smallest plan that breaks something too. */
  readonly plan: Plan;
  readonly violation: string;
  readonly timeline: readonly string[];
}

/** What many runs came to. */
export interface Tally {
  runs: number;
  tunnels: number;
  unharmed: number;
  virtualMs: number;
  slowestToConvergeMs: number;
  readonly faults: Map<FaultKind, number>;
}

export function newTally(): Tally {
  return { runs: 0, tunnels: 0, unharmed: 0, virtualMs: 0, slowestToConvergeMs: 0, faults: new Map() };
}

export function addTo(tally: Tally, result: RunResult): void {
  tally.runs++;
  tally.tunnels += result.tunnels;
  tally.unharmed += result.unharmed;
  tally.virtualMs += result.virtualMs;
  tally.slowestToConvergeMs = Math.max(tally.slowestToConvergeMs, result.convergedMs);
  for (const [kind, count] of result.faults) tally.faults.set(kind, (tally.faults.get(kind) ?? 0) + count);
}

/** The plan of a seed: the same each time. */
export function planOf({ scenario, number }: Seed): Plan {
  const name = `${scenario.name}/${number}`;
  return drawPlan(scenario, name, new Random(name));
}

/** Shrinks a run that broke something, and has it say what happens in it. @param mutant made anew for each run */
export async function explain(seed: Seed, mutant?: () => Mutant): Promise<Failure> {
  const options = () => mutant === undefined ? {} : { mutant: mutant() };
  const plan = await shrink(
    planOf(seed),
    async (candidate) => (await run(candidate, options())).violation !== undefined,
  );
  const { violation = "nothing, this time", timeline } = await run(plan, { recording: true, ...options() });
  return { seed, plan, violation, timeline };
}

/** A failure as a person reads it. */
export function describe({ seed, plan, violation, timeline }: Failure): string {
  const { servers, agents, tunnels, faults } = plan;
  return [
    `${seed.scenario.name}/${seed.number} broke: ${violation}`,
    `shrunk to ${servers.length} servers, ${agents.length} agents, ${tunnels.length} tunnels, ${faults.length} faults:`,
    ...timeline,
  ].join("\n");
}
