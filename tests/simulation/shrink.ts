import type { Plan } from "./plan.ts";

/** Whether a plan still fails. */
export type Fails = (plan: Plan) => Promise<boolean>;

/** Most runs that are made for one failure. */
const mostRuns = 400;

/**
 * Leaves out of a plan that fails what it fails without: faults, tunnels, agents, servers, time. Of what is left, nothing can be
 * left out alone.
 */
export async function shrink(plan: Plan, fails: Fails): Promise<Plan> {
  let runs = 0;
  const stillFails = async (candidate: Plan) => ++runs <= mostRuns && await fails(candidate);
  let smallest = plan;
  let before: Plan;
  do {
    before = smallest;
    smallest = await without(smallest, "faults", 0, stillFails);
    smallest = await without(smallest, "tunnels", 0, stillFails);
    smallest = await without(smallest, "agents", 1, stillFails);
    smallest = await without(smallest, "servers", 1, stillFails);
    smallest = await shorter(smallest, stillFails);
  } while (before !== smallest);
  return smallest;
}

type Part = "faults" | "tunnels" | "agents" | "servers";

/** Leaves out halves, then quarters, and so on down to single ones (delta debugging, Zeller 1999). */
async function without(plan: Plan, part: Part, least: number, fails: Fails): Promise<Plan> {
  let smallest = plan;
  for (let size = Math.ceil(plan[part].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest[part].length;) {
      const rest = [...smallest[part].slice(0, at), ...smallest[part].slice(at + size)];
      const candidate: Plan = { ...smallest, [part]: rest };
      if (rest.length >= least && await fails(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}

/** Ends the run soon behind the last thing that happens in it. */
async function shorter(plan: Plan, fails: Fails): Promise<Plan> {
  const last = Math.max(0, ...[...plan.faults, ...plan.tunnels].map(({ atMs }) => atMs));
  for (const afterMs of [0, 1_000, 5_000]) {
    const seconds = Math.ceil((last + afterMs) / 1000);
    if (seconds >= plan.scenario.seconds) return plan;
    const candidate = { ...plan, scenario: { ...plan.scenario, seconds } };
    if (await fails(candidate)) return candidate;
  }
  return plan;
}
