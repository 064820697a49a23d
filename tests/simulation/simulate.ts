/**
 * Runs many fleets, each from its seed: `deno task simulate --seeds=1000 --minutes=10 --from=1 --scenario=middle`. Whichever
 * bound is reached first ends it. A run that breaks something is shrunk and printed as a timeline; the exit code is 1 then.
 */
import { parseArgs } from "node:util";
import { addTo, describe, explain, newTally, planOf, type Seed, type Tally } from "./campaign.ts";
import { run } from "./run.ts";
import { scenarioOf, scenarios } from "./scenarios.ts";

const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));

/** How often progress is printed, in milliseconds. */
const progressMs = 10_000;
/** Failures that are shrunk and printed; more are counted. */
const mostExplained = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    minutes: { type: "string" },
    from: { type: "string", default: "1" },
    scenario: { type: "string" },
  },
});
const chosen = values.scenario === undefined ? scenarios : [scenarioOf(values.scenario)];
const from = Number(values.from);
const minutes = Number(values.minutes ?? (values.seeds === undefined ? 1 : Infinity));
const mostRuns = Number(values.seeds ?? Infinity);

function line(tally: Tally, failures: number, ms: number): string {
  const rate = (tally.runs / ms * 1000).toFixed(1);
  const virtualHours = (tally.virtualMs / 3_600_000).toFixed(1);
  return `${tally.runs} runs, ${failures} failed; ${rate} runs/s; ${tally.tunnels} tunnels, ${tally.unharmed} of them ` +
    `unharmed by faults; ${virtualHours} hours of virtual time; whole again after ${
      tally.slowestToConvergeMs / 1000
    } s at most`;
}

const tally = newTally();
const failures: Seed[] = [];
const startedAt = performance.now();
let printedAt = startedAt;
const elapsedMs = () => performance.now() - startedAt;
for (let number = from; tally.runs < mostRuns && elapsedMs() < minutes * 60_000; number++) {
  for (const scenario of chosen) {
    if (tally.runs >= mostRuns) break;
    const seed = { scenario, number };
    const result = await run(planOf(seed));
    addTo(tally, result);
    if (result.violation !== undefined) {
      failures.push(seed);
      print(`${scenario.name}/${number}: ${result.violation}`);
      if (failures.length <= mostExplained) print(describe(await explain(seed)));
    }
    // What the machine has to do otherwise, such as a signal, has its turn.
    if (tally.runs % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    if (performance.now() - printedAt < progressMs) continue;
    printedAt = performance.now();
    print(line(tally, failures.length, elapsedMs()));
  }
}
print(line(tally, failures.length, elapsedMs()));
for (const [kind, count] of [...tally.faults].toSorted(([a], [b]) => a < b ? -1 : 1)) print(`  ${kind}: ${count}`);
for (const { scenario, number } of failures) print(`failed: --scenario="${scenario.name}" --from=${number} --seeds=1`);
Deno.exit(failures.length === 0 ? 0 : 1);
