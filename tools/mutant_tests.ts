import { root } from "./binaries.ts";
import { MutantProcess } from "./mutant_process.ts";
import { type Mutant, mutated } from "./mutants.ts";

/** A file of tests, run once with no mutant. */
interface Measured {
  readonly path: string;
  readonly ms: number;
  /** By source: its lines that have code, and whether these tests run them. */
  readonly lines: ReadonlyMap<string, ReadonlyMap<number, boolean>>;
}

/** What tests say of a mutant: `killed` is that one failed. */
export type Verdict = "killed" | "survived" | "invalid";

/** How long tests of a mutant may take, beyond thrice what they take without one. */
const patienceMs = 2_500;
/** How long a file of tests may take beyond that in a process that is there already; what runs out of it is tried without the mutant too. */
const shortMs = 500;

/** Which lines of which sources a report of lcov says were run. */
export function reachedLines(lcov: string, from: string): Map<string, Map<number, boolean>> {
  const found = new Map<string, Map<number, boolean>>();
  for (const record of lcov.split("end_of_record")) {
    const path = /^SF:(.*)$/m.exec(record)?.[1];
    if (path === undefined || !path.startsWith(`${from}/`)) continue;
    const lines = [...record.matchAll(/^DA:(\d+),(\d+)/gm)].map(([, line, count]) =>
      [Number(line), count !== "0"] as const
    );
    found.set(path.slice(from.length + 1), new Map(lines));
  }
  return found;
}

/**
 * The tests that can notice mutants in a copy of the project: each file of tests runs once with coverage, and a mutant is
 * shown only to those that run its line. Those that killed mutants of the same source come first.
 */
export class MutantTests implements AsyncDisposable {
  readonly #copy: string;
  #process: { readonly file: string; readonly process: MutantProcess } | undefined;
  readonly #measured = new Map<string, Measured>();
  readonly #kills = new Map<string, number>();

  /** @param copy the folder of the copy */
  constructor(copy: string) {
    this.#copy = copy;
  }

  /** Throws where tests fail without any mutant. */
  async measure(tests: readonly string[]): Promise<void> {
    for (const path of tests) {
      if (this.#measured.has(path)) continue;
      const coverage = await Deno.makeTempDir({ prefix: "mutants-coverage" });
      const from = performance.now();
      const { code, text } = await this.#deno(["test", ...testFlags, `--coverage=${coverage}`, path], 300_000);
      if (code !== 0) throw new Error(`${path} fails without any mutant:\n${text}`);
      const ms = performance.now() - from;
      const include = `--include=^file://${this.#copy}/src/`;
      const { text: lcov } = await this.#deno(["coverage", "--quiet", "--lcov", include, coverage], 60_000);
      await Deno.remove(coverage, { recursive: true });
      this.#measured.set(path, { path, ms, lines: reachedLines(lcov, this.#copy) });
    }
  }

  /**
   * Shows a mutant to those of `tests` that run its line, in a process that has many; where that is not sure, by the runner.
   * @param confirm whether the runner, which looks at what tests leave open too, is asked about those that survived as well
   */
  async judge(
    tests: readonly string[],
    file: string,
    text: string,
    mutant: Mutant,
    confirm: boolean,
  ): Promise<Verdict> {
    const noticing = this.#noticing(tests, file, mutant.line);
    if (noticing.length === 0) return "survived";
    if (this.#process?.file !== file) {
      await this[Symbol.asyncDispose]();
      this.#process = { file, process: new MutantProcess(this.#copy, file) };
    }
    const asked = noticing.map(({ path, ms }) => ({ path, limitMs: ms + shortMs }));
    const { verdict, by } = await this.#process.process.ask({ mutant, tests: asked });
    if (by !== undefined) this.#kills.set(`${file} ${by}`, (this.#kills.get(`${file} ${by}`) ?? 0) + 1);
    if (verdict === "killed" || (verdict === "survived" && !confirm)) return verdict;
    await Deno.writeTextFile(`${this.#copy}/${file}`, mutated(text, mutant));
    try {
      return await this.#judgeByRunner(noticing);
    } finally {
      await Deno.writeTextFile(`${this.#copy}/${file}`, text);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.process[Symbol.asyncDispose]();
    this.#process = undefined;
  }

  async #judgeByRunner(noticing: readonly Measured[]): Promise<Verdict> {
    const limitMs = 3 * noticing.reduce((sum, { ms }) => sum + ms, 0) + patienceMs;
    const { code, text } = await this.#deno(["test", ...testFlags, ...noticing.map(({ path }) => path)], limitMs);
    if (code === 0) return "survived";
    return /could not be parsed|\(uncaught error\)[\s\S]*SyntaxError/.test(text) ? "invalid" : "killed";
  }

  /** Those that killed the most come first, and of the others those that take the least time. */
  #noticing(tests: readonly string[], file: string, line: number): Measured[] {
    const own = file.replace(/\.ts$/, "_test.ts");
    const kills = ({ path }: Measured) => this.#kills.get(`${file} ${path}`) ?? (path === own ? 0.5 : 0);
    return tests.flatMap((path) => this.#measured.get(path) ?? [])
      .filter(({ lines }) => isReached(lines.get(file), line))
      .toSorted((a, b) => kills(b) - kills(a) || a.ms - b.ms);
  }

  async #deno(args: readonly string[], limitMs: number): Promise<{ code: number; text: string }> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: this.#copy,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  }
}

const testFlags = ["-A", "--quiet", "--no-check", "--fail-fast"];

/** A copy of what tests need, in which sources may be changed. */
export async function copyOfProject(): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "mutants" });
  const names = ["src", "gen", "tests", "tools", "proto", "docs", "main.ts", "deno.json", "deno.lock"];
  await new Deno.Command("cp", { args: ["-r", ...names.map((name) => `${root}/${name}`), copy] }).output();
  await Deno.symlink(`${root}/node_modules`, `${copy}/node_modules`);
  return copy;
}

/** A line whose statement ends in a branch that was not taken counts as not run, so that those before it decide too. */
function isReached(lines: ReadonlyMap<number, boolean> | undefined, line: number): boolean {
  if (lines === undefined) return false;
  return [0, 1, 2, 3].some((before) => lines.get(line - before) ?? true);
}
