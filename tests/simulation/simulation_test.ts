import { newTally } from "./campaign.ts";
import { holds, holdsFor, isTheSame, waitsForVirtualTimeAlone } from "./held_seeds.ts";
import { regressions } from "./regressions.ts";
import { scenarioOf, scenarios } from "./scenarios.ts";

/** Runs of each scenario; simulation_long_test.ts has more of them. */
const seeds = [1, 2, 3, 4];

for (const scenario of scenarios) {
  Deno.test(`simulated fleets: nothing breaks in the scenario "${scenario.name}"`, () =>
    holdsFor(scenario, seeds, newTally()));
}

for (const { scenario, number, why } of regressions) {
  Deno.test(`simulated fleets: ${scenario}/${number} stays mended: ${why}`, async () => {
    await holds({ scenario: scenarioOf(scenario), number });
  });
}

/** Some of all kinds; simulation_long_test.ts has all of them. */
const some = scenarios.filter((_, at) => at % 4 === 0);

Deno.test("simulated fleets: a seed is the same run each time, to the packet, and another seed another run", async () => {
  for (const scenario of some) await isTheSame(scenario);
});

Deno.test("simulated fleets: what happens waits for virtual time alone: turns of the event loop between two events change nothing", async () => {
  for (const scenario of some) await waitsForVirtualTimeAlone(scenario);
});
