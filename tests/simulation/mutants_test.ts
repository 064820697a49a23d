import assert from "node:assert/strict";
import { describe, explain, planOf } from "./campaign.ts";
import { mutants } from "./mutants.ts";
import { run } from "./run.ts";
import { scenarioOf } from "./scenarios.ts";

/** In so many runs a planted fault is found. */
const mostRuns = 20;

for (const [name, mutant] of Object.entries(mutants)) {
  Deno.test(`simulated fleets: a planted fault is found and shrunk: ${name}`, async () => {
    const scenario = scenarioOf(mutant().deletesLeases === true ? "leases" : "sound");
    for (let number = 1; number <= mostRuns; number++) {
      const seed = { scenario, number };
      const { violation } = await run(planOf(seed), { mutant: mutant() });
      if (violation === undefined) continue;
      const failure = await explain(seed, mutant);
      const { servers, agents, tunnels, faults } = failure.plan;
      const sizes = { servers: servers.length, agents: agents.length, faults: faults.length };
      assert.deepEqual(sizes, { servers: 1, agents: 1, faults: 0 }, describe(failure));
      // What counts packets needs so many of them.
      assert.ok(tunnels.length <= 10, describe(failure));
      assert.ok(failure.timeline.at(-1) !== undefined && describe(failure).includes("VIOLATION"), describe(failure));
      return;
    }
    assert.fail(`not found in ${mostRuns} runs`);
  });
}
