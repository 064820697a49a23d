/**
 * `deno task fuzz:inputs`: inputs for parsers and their handlers, in this process, guided by what they reach.
 *
 * Flags: `--seconds` (60; over all targets), `--inputs` (of each target; instead of a time), `--target=NAME,…` (all),
 * `--seed` (random), `--merge` (writes the inputs that reach more into `tests/fuzz/corpus`), `--replay` (only judges what
 * is kept). The inputs that break something are written to `tests/fuzz/found`, and the exit code is 1.
 * @module
 */
import { parseArgs } from "node:util";
import { Random } from "../random.ts";
import { watchModules } from "./coverage.ts";
import { TargetRun } from "./target_run.ts";

if (typeof gc !== "function") Deno.exit(await withCollector());

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    seconds: { type: "string", default: "60" },
    inputs: { type: "string" },
    target: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
    merge: { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
  },
});

const encoder = new TextEncoder();
const print = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));

watchModules(new URL("../../../", import.meta.url).href, (path) => path.startsWith("src/"));
const { allTargets } = await import("./targets/all_targets.ts");
const names = values.target?.split(",");
const unknown = names?.find((name) => !allTargets.some((target) => target.name === name));
if (unknown !== undefined) throw new Error(`no target ${unknown}: ${allTargets.map(({ name }) => name).join(", ")}`);
const seed = Number(values.seed);
const runs = allTargets
  .filter(({ name }) => names?.includes(name) ?? true)
  .map((target) => new TargetRun(target, new Random(seed)));
print(`seed ${seed}, ${runs.length} targets`);

let current: TargetRun | undefined;
const unowned = (event: Event, error: unknown) => {
  event.preventDefault();
  current?.fail(error);
};
addEventListener("unhandledrejection", (event) => unowned(event, event.reason));
addEventListener("error", (event) => unowned(event, event.error));

// What a callback threw, which its owner has caught: the program would go on, and something of it has ended.
const { onFault } = await import("../../../src/faults/fault.ts");
onFault((_place, error) => void current?.fail(error));

let faults = 0;
for (current of runs) {
  await current.replay();
  await keepFaults(current);
}
if (!values.replay) {
  const inputs = values.inputs === undefined ? undefined : Number(values.inputs);
  if (inputs === undefined) await inTurns(Number(values.seconds));
  else {
    for (current of runs) {
      await current.run({ inputs });
      await keepFaults(current);
    }
  }
}
for (const run of runs) {
  print(run.line());
  if (values.merge) await run.merge();
}
const total = runs.reduce((sum, run) => sum + run.inputs, 0);
print(`${total} inputs over ${runs.length} targets, ${faults} faults`);
Deno.exit(faults === 0 ? 0 : 1);

/** Runs this again with a collector that can be asked to collect, so that growth can be told from garbage. */
async function withCollector(): Promise<number> {
  const args = ["run", "-A", "-q", "--no-check", "--v8-flags=--expose-gc", new URL(import.meta.url).pathname];
  return (await new Deno.Command(Deno.execPath(), { args: [...args, ...Deno.args] }).spawn().status).code;
}

async function keepFaults(run: TargetRun): Promise<void> {
  for (const text of await run.keepFaults()) {
    faults++;
    print(`FAULT: ${text}`);
  }
}

/** Gives each target a slice of the time, over and over. */
async function inTurns(seconds: number): Promise<void> {
  const start = performance.now();
  const end = start + seconds * 1000;
  const slice = Math.min(4_000, seconds * 1000 / runs.length);
  while (performance.now() < end) {
    for (current of runs) {
      await current.run({ inputs: Infinity, untilMs: Math.min(end, performance.now() + slice) });
      await keepFaults(current);
    }
  }
}
