/**
 * `deno task mutate [--sample=N] [--seed=S] [FOLDER|FILE…]`: changes sources one place at a time and runs their tests, which
 * should notice. Prints each mutant that they did not, and how many there were; the exit code is 0 in any case, since some
 * mutants change nothing that can be seen. Works in a copy of the project.
 * @module
 */
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./binaries.ts";
import { type Mutant, mutantsOf, mutated } from "./mutants.ts";

/** Which tests stand for the sources of a folder, the nearest first. */
const testsOf: Readonly<Record<string, readonly string[]>> = {
  "src/wire": ["src/wire"],
  "src/streams": ["src/streams", "src/mux", "tests/model", "src/h2", "src/agent", "src/server"],
  "src/mux": ["src/mux", "tests/model", "src/agent", "src/server"],
  "src/h2": ["src/h2", "src/net/http2"],
  "src/agent/servers": ["src/agent"],
  "src/kube/tokens": ["src/kube/tokens", "src/server/agents"],
  "src/server/agents": ["src/server"],
};

type Verdict = "killed" | "survived" | "invalid";

/** How long tests of a mutant may take, beyond thrice what they take without one. */
const patienceMs = 15_000;

async function sourcesIn(path: string): Promise<string[]> {
  if ((await Deno.stat(path)).isFile) return [path];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) found.push(...await sourcesIn(`${path}/${name}`));
    else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) found.push(`${path}/${name}`);
  }
  return found.sort();
}

/** Runs tests in the copy. @returns what they came to, and how long it took */
async function run(copy: string, tests: readonly string[], limitMs: number): Promise<{ verdict: Verdict; ms: number }> {
  const from = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", "--no-check", "--fail-fast", ...tests],
    cwd: copy,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const verdict = code === 0
    ? "survived"
    : /could not be parsed|\(uncaught error\)[\s\S]*SyntaxError/.test(text)
    ? "invalid"
    : "killed";
  return { verdict, ms: performance.now() - from };
}

/** The nearest test file first: most mutants end there. */
async function testsFor(file: string): Promise<string[][]> {
  const own = file.replace(/\.ts$/, "_test.ts");
  const folder =
    Object.keys(testsOf).filter((each) => file.startsWith(`${each}/`)).sort((a, b) => b.length - a.length)[0];
  const near = await Deno.stat(`${root}/${own}`).then(() => [[own]], () => []);
  return [...near, [...(folder === undefined ? [dirname(file)] : testsOf[folder] ?? [])]];
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

async function copyOfProject(): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "mutants" });
  const names = ["src", "gen", "tests", "tools", "proto", "docs", "main.ts", "deno.json", "deno.lock"];
  await new Deno.Command("cp", { args: ["-r", ...names.map((name) => `${root}/${name}`), copy] }).output();
  await Deno.symlink(`${root}/node_modules`, `${copy}/node_modules`);
  return copy;
}

const { values, positionals } = parseArgs({
  args: [...Deno.args],
  allowPositionals: true,
  options: { sample: { type: "string", default: "12" }, seed: { type: "string", default: "1" } },
});
const places = positionals.length > 0 ? positionals : Object.keys(testsOf);
const files = [...new Set((await Promise.all(places.map(sourcesIn))).flat())];
const copy = await copyOfProject();
const counts: Record<Verdict, number> = { killed: 0, survived: 0, invalid: 0 };
try {
  for (const file of files) {
    const text = await Deno.readTextFile(`${root}/${file}`);
    const stages: (readonly [string[], number])[] = [];
    for (const tests of await testsFor(file)) {
      const { verdict, ms } = await run(copy, tests, 300_000);
      if (verdict !== "survived") throw new Error(`${tests.join(" ")} fail without any mutant`);
      stages.push([tests, ms]);
    }
    const all = mutantsOf(text);
    const judge = async (mutant: Mutant): Promise<Verdict> => {
      await Deno.writeTextFile(`${copy}/${file}`, mutated(text, mutant));
      for (const [tests, ms] of stages) {
        const { verdict } = await run(copy, tests, 3 * ms + patienceMs);
        if (verdict !== "survived") return verdict;
      }
      return "survived";
    };
    const before = { ...counts };
    for (const mutant of sampled(all, Number(values.sample), Number(values.seed))) {
      const verdict = await judge(mutant);
      counts[verdict]++;
      if (verdict !== "survived") continue;
      tell(`survived  ${file}:${mutant.line}  ${text.split("\n")[mutant.line - 1]?.trim()}`);
      tell(
        `          ${JSON.stringify(text.slice(mutant.start, mutant.end))} -> ${JSON.stringify(mutant.replacement)}`,
      );
    }
    await Deno.writeTextFile(`${copy}/${file}`, text);
    tell(
      `${basename(file)}: ${counts.killed - before.killed} killed, ${
        counts.survived - before.survived
      } survived, of ${all.length} mutants`,
    );
  }
} finally {
  await Deno.remove(copy, { recursive: true });
}
tell(`${counts.killed} killed, ${counts.survived} survived, ${counts.invalid} made no program`);
