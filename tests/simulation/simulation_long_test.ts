import assert from "node:assert/strict";
import { newTally } from "./campaign.ts";
import { faultKinds } from "./faults/fault_plan.ts";
import { holdsFor, isTheSame, waitsForVirtualTimeAlone } from "./held_seeds.ts";
import { scenarios } from "./scenarios.ts";

const seeds = Array.from({ length: 40 }, (_, at) => 1 + at);
const all = newTally();

for (const scenario of scenarios) {
  Deno.test(`simulated fleets: nothing breaks in many runs of the scenario "${scenario.name}"`, () =>
    holdsFor(scenario, seeds, all));
  Deno.test(`simulated fleets: a seed is the same run each time in the scenario "${scenario.name}"`, async () => {
    await isTheSame(scenario);
    await waitsForVirtualTimeAlone(scenario);
  });
}

Deno.test("simulated fleets: every kind of fault has happened", () => {
  assert.deepEqual(faultKinds.filter((kind) => !all.faults.has(kind)), []);
});
