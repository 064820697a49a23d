import assert from "node:assert/strict";
import { addTo, describe, explain, newTally, planOf, type Seed } from "./campaign.ts";
import { faultKinds } from "./faults/fault_plan.ts";
import { regressions } from "./regressions.ts";
import { run } from "./run.ts";
import { scenarioOf, scenarios } from "./scenarios.ts";

/** Runs of each scenario. */
const seeds = 12;

/** Runs a seed, and says in a timeline what broke, if anything did. */
async function holds(seed: Seed) {
  const result = await run(planOf(seed));
  if (result.violation !== undefined) assert.fail(describe(await explain(seed)));
  return result;
}

const all = newTally();

for (const scenario of scenarios) {
  Deno.test(`simulated fleets: nothing breaks in the scenario "${scenario.name}"`, async () => {
    const tally = newTally();
    for (let number = 1; number <= seeds; number++) {
      const result = await holds({ scenario, number });
      addTo(tally, result);
      addTo(all, result);
    }
    assert.equal(tally.tunnels, seeds * scenario.tunnels, "not all tunnels were dialled");
    assert.ok(
      tally.unharmed > tally.tunnels / 10,
      `only ${tally.unharmed} of ${tally.tunnels} tunnels had to end well`,
    );
  });
}

Deno.test("simulated fleets: every kind of fault has happened", () => {
  assert.deepEqual(faultKinds.filter((kind) => !all.faults.has(kind)), []);
});

for (const { scenario, number, why } of regressions) {
  Deno.test(`simulated fleets: ${scenario}/${number} stays mended: ${why}`, async () => {
    await holds({ scenario: scenarioOf(scenario), number });
  });
}

Deno.test("simulated fleets: a seed is the same run each time, to the packet, and another seed another run", async () => {
  for (const scenario of scenarios) {
    const first = await run(planOf({ scenario, number: 1 }));
    const again = await run(planOf({ scenario, number: 1 }), { recording: true });
    const other = await run(planOf({ scenario, number: 2 }));
    assert.equal(again.hash, first.hash, scenario.name);
    assert.notEqual(other.hash, first.hash, scenario.name);
  }
});

Deno.test("simulated fleets: what happens waits for virtual time alone: turns of the event loop between two events change nothing", async () => {
  for (const scenario of scenarios) {
    const plan = planOf({ scenario, number: 3 });
    assert.equal((await run(plan, { between: "event loop" })).hash, (await run(plan)).hash, scenario.name);
  }
});
