import { throwFaults } from "../support/assert/faults.ts";
import { Faults } from "./faults/fault_actions.ts";
import type { FaultKind } from "./faults/fault_plan.ts";
import * as invariants from "./invariants.ts";
import type { Mutant } from "./mutants.ts";
import type { Plan } from "./plan.ts";
import { frozenProcessTime, withoutStacks } from "./process_time.ts";
import type { Between } from "./settled_steps.ts";
import { Violation, World } from "./world.ts";

/** How a run ended. */
export interface RunResult {
  readonly hash: string;
  /** What it broke; undefined: nothing. */
  readonly violation: string | undefined;
  readonly timeline: readonly string[];
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Tunnels, and how many of them nothing may have broken. */
  readonly tunnels: number;
  readonly unharmed: number;
  readonly virtualMs: number;
  /** How long the fleet took to be whole again once everything was healed, in milliseconds. */
  readonly convergedMs: number;
}

/** What is chosen for a run beside its plan. */
export interface RunOptions {
  /** Keep lines of what happens. */
  readonly recording?: boolean;
  readonly mutant?: Mutant;
  /** What passes between two events; absent: promises settle. */
  readonly between?: Between;
}

/** How often what is looked at from time to time is looked at, in milliseconds. */
const checkEveryMs = 500;
/** How long unbroken tunnels may take to end, once everything is healed, beside the time that their bytes take. */
const tunnelsMs = 60_000;
/** How long everything may take to be forgotten: a client that has ended its side is waited for five minutes. */
const forgetMs = 330_000;

/** Runs a plan from its beginning to its end. */
export async function run(
  plan: Plan,
  { recording = false, mutant, between = "promises" }: RunOptions = {},
): Promise<RunResult> {
  using _time = frozenProcessTime();
  using _stacks = recording ? undefined : withoutStacks();
  const world = new World(plan, { recording, mutant, between });
  const faults = new Faults(world);
  let violation: string | undefined;
  let convergedMs = 0;
  try {
    convergedMs = await live(world, faults);
  } catch (error) {
    world.timeline.note(() => `VIOLATION: ${error instanceof Error ? error.message : error}`);
    violation = error instanceof Violation
      ? error.message
      : `the run threw: ${error instanceof Error ? error.stack : error}`;
  }
  try {
    throwFaults();
  } catch (error) {
    violation ??= error instanceof Error
      ? `${error.message}\n${error.cause instanceof Error ? error.cause.stack : ""}`
      : String(error);
  }
  const { unharmed } = invariants.tunnelCounts(world);
  return {
    hash: world.timeline.hash,
    violation,
    timeline: world.timeline.lines,
    faults: faults.counts,
    tunnels: world.tunnels.length,
    unharmed,
    virtualMs: world.clock.now(),
    convergedMs,
  };
}

async function live(world: World, faults: Faults): Promise<number> {
  const { scenario } = world.plan;
  for (let at = 0; at < 1000 * scenario.seconds; at += checkEveryMs) {
    await world.run(checkEveryMs);
    invariants.bounds(world);
  }
  faults.healAll();
  world.timeline.note(() => "everything is healed");
  const healedAt = world.clock.now();
  await until(
    world,
    invariants.convergenceMs(scenario),
    () => invariants.unconverged(world) ?? invariants.unleased(world),
  );
  const convergedMs = world.clock.now() - healedAt;
  world.timeline.note(() => "the fleet is whole");
  await until(world, tunnelsMs + bytesMs(world), () => invariants.unfinished(world));
  invariants.tunnels(world);
  for (const { server } of world.liveServers()) server.probes.stop();
  for (const tunnel of world.tunnels) tunnel.close();
  await world.run(1_000);
  for (const tunnel of world.tunnels) if (!tunnel.over) tunnel.drop();
  await until(world, forgetMs, () => invariants.remains(world));
  invariants.apiLoad(world);
  await end(world);
  return convergedMs;
}

/** What the bytes of the largest tunnel take on the slowest way, and of one that shares it, in milliseconds. */
function bytesMs({ plan, slowestBytesPerMs }: World): number {
  const most = Math.max(
    0,
    ...plan.tunnels.map(({ client, destination }) => client.expectBytes + destination.expectBytes),
  );
  return 2 * most / slowestBytesPerMs;
}

/** Ends all processes in order, and shows that nothing of them is left. */
async function end(world: World): Promise<void> {
  world.timeline.note(() => "everything is stopped");
  for (const agent of world.liveAgents()) void agent.agent.close();
  await world.run(5_000);
  invariants.ended(world);
}

async function until(world: World, limitMs: number, wrong: () => string | undefined): Promise<void> {
  const limit = world.clock.now() + limitMs;
  for (let why = wrong(); why !== undefined; why = wrong()) {
    if (world.clock.now() >= limit) throw new Violation(`after ${limitMs / 1000} s: ${why}`);
    await world.run(checkEveryMs);
    invariants.bounds(world);
  }
}
