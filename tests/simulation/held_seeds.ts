import assert from "node:assert/strict";
import { addTo, describe, explain, newTally, planOf, type Seed, type Tally } from "./campaign.ts";
import { run } from "./run.ts";
import type { Scenario } from "./plan.ts";

/** Runs a seed, and says in a timeline what broke, if anything did. */
export async function holds(seed: Seed) {
  const result = await run(planOf(seed));
  if (result.violation !== undefined) assert.fail(describe(await explain(seed)));
  return result;
}

/** Nothing breaks in some runs of a scenario. @param all is what happens in them added to */
export async function holdsFor(scenario: Scenario, seeds: readonly number[], all: Tally): Promise<void> {
  const tally = newTally();
  for (const number of seeds) {
    const result = await holds({ scenario, number });
    addTo(tally, result);
    addTo(all, result);
  }
  assert.equal(tally.tunnels, seeds.length * scenario.tunnels, "not all tunnels were dialled");
  assert.ok(
    tally.unharmed > tally.tunnels / 10,
    `only ${tally.unharmed} of ${tally.tunnels} tunnels had to end well`,
  );
}

/** A seed is the same run each time, to the packet, and another seed another run. */
export async function isTheSame(scenario: Scenario): Promise<void> {
  const first = await run(planOf({ scenario, number: 1 }));
  const again = await run(planOf({ scenario, number: 1 }), { recording: true });
  const other = await run(planOf({ scenario, number: 2 }));
  assert.equal(again.hash, first.hash, scenario.name);
  assert.notEqual(other.hash, first.hash, scenario.name);
}

/** What happens waits for virtual time alone: turns of the event loop between two events change nothing. */
export async function waitsForVirtualTimeAlone(scenario: Scenario): Promise<void> {
  const plan = planOf({ scenario, number: 3 });
  assert.equal((await run(plan, { between: "event loop" })).hash, (await run(plan)).hash, scenario.name);
}
