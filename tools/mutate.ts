/**
 * `deno task mutate [--sample=N | --all] [--seed=S] [--from=OUTPUT] [--again] [--confirm] [FOLDER|FILE…]`: changes sources
 * one place at a time and runs their tests, which should notice. Prints each mutant that they did not, and how many there
 * were; the exit code is 0 in any case. Works in a copy of the project. `--sample` is a file's number of mutants; `--from`
 * names what an earlier run has printed, whose survivors are shown again.
 *
 * Some mutants change nothing that can be seen: `tools/accepted_mutants` has them with the reason. They are left out, but
 * with `--again`, which says of each that is killed after all. With `--confirm` the runner of tests is asked about each that
 * survived: it takes much longer, and finds what tests leave open.
 * @module
 */
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { changeOf, isAccepted, readAccepted } from "./accepted_mutants.ts";
import { root } from "./binaries.ts";
import { copyOfProject, MutantTests, type Verdict } from "./mutant_tests.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";

/** Which tests stand for the sources of a folder: those near to it, since far ones take long and say little of what is wrong. */
const testsOf: Readonly<Record<string, readonly string[]>> = {
  "src/wire": ["src/wire", "src/net/direct"],
  "src/streams": ["src/streams", "src/mux", "src/h2/flow_test.ts"],
  "src/mux": ["src/mux", "src/agent/link_flow_test.ts", "src/agent/link_test.ts", "src/server/tunnel_tables_test.ts"],
  "src/h2": ["src/h2", "src/net/http2"],
  "src/agent/servers": ["src/agent/servers", "src/agent/dial_guard_test.ts"],
  "src/kube/tokens": ["src/kube/tokens", "src/server/agents"],
  "src/server/agents": ["src/server"],
};

async function filesIn(path: string, tests: boolean): Promise<string[]> {
  if ((await Deno.stat(path)).isFile) return [path];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) found.push(...await filesIn(`${path}/${name}`, tests));
    else if (name.endsWith(".ts") && name.endsWith("_test.ts") === tests) found.push(`${path}/${name}`);
  }
  return found.sort();
}

async function testsFor(file: string): Promise<string[]> {
  const folder =
    Object.keys(testsOf).filter((each) => file.startsWith(`${each}/`)).sort((a, b) => b.length - a.length)[0];
  const places = folder === undefined ? [dirname(file)] : testsOf[folder] ?? [];
  return [...new Set((await Promise.all(places.map((place) => filesIn(place, true)))).flat())];
}

/** As many of a list, chosen by a seed. */
function sampled<Item>(items: readonly Item[], count: number, seed: number): Item[] {
  const rest = [...items];
  const chosen: Item[] = [];
  for (let state = seed; rest.length > 0 && chosen.length < count;) {
    state = (state * 1664525 + 1013904223) % 4294967296;
    chosen.push(...rest.splice(Math.floor(state / 4294967296 * rest.length), 1));
  }
  return chosen;
}

function tell(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const { values, positionals } = parseArgs({
  args: [...Deno.args],
  allowPositionals: true,
  options: {
    sample: { type: "string", default: "12" },
    all: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    again: { type: "boolean", default: false },
    confirm: { type: "boolean", default: false },
    from: { type: "string" },
  },
});
Deno.chdir(root);
const places = positionals.length > 0 ? positionals.map((place) => place.replace(/\/$/, "")) : Object.keys(testsOf);
const files = [...new Set((await Promise.all(places.map((place) => filesIn(place, false)))).flat())];
const accepted = await readAccepted();
const earlier = values.from === undefined
  ? undefined
  : [...(await Deno.readTextFile(values.from)).matchAll(/^survived {2}(.*?):\d+(\n {2}.*\n {2}.*\n)/gm)]
    .map(([, path, change]) => [path, change] as const);
const copy = await copyOfProject();
const all: Record<Verdict | "accepted", number> = { killed: 0, survived: 0, invalid: 0, accepted: 0 };
try {
  await using tests = new MutantTests(copy);
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    const theirs = await testsFor(file);
    await tests.measure(theirs);
    const mutants = mutantsOf(text);
    const counts: Record<Verdict | "accepted", number> = { killed: 0, survived: 0, invalid: 0, accepted: 0 };
    const shown = mutants.filter((mutant) =>
      earlier === undefined || earlier.some(([path, change]) => path === file && change === told(text, mutant))
    );
    for (
      const mutant of values.all || earlier !== undefined
        ? shown
        : sampled(mutants, Number(values.sample), Number(values.seed))
    ) {
      const known = isAccepted(accepted, file, text, mutant);
      if (known) counts.accepted++;
      if (known && !values.again) continue;
      const verdict = await tests.judge(theirs, file, text, mutant, values.confirm);
      if (!known) counts[verdict]++;
      if ((verdict === "survived") === known) continue;
      if (verdict === "invalid") continue;
      tell(`${known ? "accepted, but killed" : "survived"}  ${file}:${mutant.line}${told(text, mutant).trimEnd()}`);
    }
    tell(`${basename(file)}: ${summed(counts)}, of ${mutants.length} mutants`);
    for (const verdict of ["killed", "survived", "invalid", "accepted"] as const) all[verdict] += counts[verdict];
  }
} finally {
  await Deno.remove(copy, { recursive: true });
}
tell(summed(all));

/** A mutant as it is printed, apart from its line's number. */
function told(text: string, mutant: Mutant): string {
  const [was, becomes] = changeOf(text, mutant);
  return `\n  ${was}\n  ${becomes}\n`;
}

function summed({ killed, survived, accepted, invalid }: Readonly<Record<Verdict | "accepted", number>>): string {
  return `${killed} killed, ${survived} survived, ${accepted} accepted, ${invalid} made no program`;
}
