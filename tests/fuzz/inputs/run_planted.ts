/**
 * Looks for the faults of planted.ts, guided by coverage and blindly, with the same number of inputs, and prints what was
 * found as JSON: a name for each of the targets that failed.
 * @module
 */
import { Random } from "../random.ts";
import { Coverage, watchModules } from "./coverage.ts";
import { FuzzLoop } from "./fuzz_loop.ts";
import type { FuzzTarget } from "./target.ts";

const path = "tests/fuzz/inputs/planted.ts";
watchModules(new URL("../../../", import.meta.url).href, (each) => each === path);
const { endless, magic, nested, quadratic } = await import("./planted.ts");

const targets: readonly FuzzTarget[] = [nested, magic, endless, quadratic].map((run) => ({
  name: run.name,
  modules: [path],
  seeds: ["0123456789abcdef"],
  maxBytes: 64,
  // More than its work's bound, and less than what ends what runs on.
  largeBytes: 3000,
  run: (input) => void run(input),
}));

const mostInputs = 40_000;

/** Names of the targets in which a fault was found, with its message. */
async function found(guided: boolean): Promise<Record<string, string>> {
  const names: Record<string, string> = {};
  // Those that run on are known by their counters alone.
  for (const target of guided ? targets : targets.slice(0, 2)) {
    const loop = new FuzzLoop(target, new Coverage(target.modules), new Random(1), guided);
    await loop.replay([new TextEncoder().encode(target.seeds.join())]);
    while (loop.inputs < mostInputs && loop.faults.length === 0) await loop.run({ inputs: 500 });
    const [fault] = loop.faults;
    if (fault !== undefined) names[target.name] = fault.error instanceof Error ? fault.error.message : "";
  }
  return names;
}

const result = { guided: await found(true), blind: await found(false) };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
