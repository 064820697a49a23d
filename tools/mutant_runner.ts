/**
 * Runs tests against mutants of one source in this process, which takes a small part of the time that a process for each
 * takes: for a mutant, those modules that depend on the source are loaded anew. Reads questions as lines of JSON, answers
 * each with a line. Started by `mutant_tests.ts` with the root of the copy and the source's path.
 * @module
 */
import { registerHooks } from "node:module";
import { TextLineStream } from "./text_lines.ts";
import ts from "typescript";
import { instrument } from "../tests/fuzz/inputs/instrument.ts";
import { type Mutant, mutated } from "./mutants.ts";

/** A mutant, and which tests to show it to. */
export interface Question {
  readonly mutant: Mutant;
  readonly tests: readonly { readonly path: string; readonly limitMs: number }[];
}

/**
 * `killed`: a test failed that passes without the mutant. `survived`: none failed, though the runner's own checks were not
 * made. `unsure`: a test failed without the mutant too, so that this process is of no more use.
 */
export interface Answer {
  readonly verdict: "killed" | "survived" | "unsure";
  /** The file of tests that failed. */
  readonly by?: string;
}

/** It is told of each file of tests that begins. */
export interface Began {
  readonly began: string;
}

interface Test {
  readonly name: string;
  readonly run: (context: Deno.TestContext) => unknown;
}

const [copy = "", source = ""] = Deno.args;
const original = await Deno.readTextFile(`${copy}/${source}`);
const transpiled = new Map<string, string>();
const dependent = new Map<string, boolean>();
let registered: Test[] = [];
let current: Mutant | undefined;

/** A loop that a mutant has made endless ends by its counter. */
const counters = new Uint32Array(1 << 16);
const overrun = () => {
  throw new Error("a loop runs on");
};
Object.assign(globalThis, { __fuzz: { counters, overrun } });
const counted = (text: string) => instrument(text, 0).text;

function programOf(text: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

/** What a module loads itself; not what it imports types from. */
function importsOf(url: string): string[] {
  if (!url.endsWith(".ts")) return [];
  const found = Deno.readTextFileSync(new URL(url)).matchAll(
    /^(?:import|export) (?!type )(?:[^;"]*? from )?"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm,
  );
  return [...found].map(([, to, late = ""]) => new URL(to ?? late, url).href);
}

/** Whether a module is the source or loads it, be it by others. */
function dependsOnSource(url: string): boolean {
  const known = dependent.get(url);
  if (known !== undefined) return known;
  // Modules may load each other in a circle.
  const reached = new Set([url]);
  for (const each of reached) for (const to of importsOf(each)) reached.add(to);
  const found = reached.has(`file://${copy}/${source}`);
  dependent.set(url, found);
  return found;
}

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const query = /\?mutant=\w+$/.exec(context.parentURL ?? "")?.[0];
    if (query === undefined || !resolved.url.startsWith(`file://${copy}/`)) return resolved;
    return dependsOnSource(resolved.url) ? { ...resolved, url: resolved.url + query } : resolved;
  },
  load(url, context, next) {
    const [plain = "", query] = url.split("?mutant=");
    if (query === undefined) return next(url, context);
    const path = plain.slice(`file://${copy}/`.length);
    if (path === source && current !== undefined) {
      return { format: "module", source: programOf(counted(mutated(original, current))), shortCircuit: true };
    }
    const text = transpiled.get(plain) ?? programOf(Deno.readTextFileSync(new URL(plain)));
    transpiled.set(plain, text);
    return { format: "module", source: text, shortCircuit: true };
  },
});

// Tests that are loaded are kept here instead.
const test = (...[first, second, third]: readonly unknown[]) => {
  const options = Object.assign({}, ...[first, second].filter((each) => typeof each === "object"));
  const run = [first, second, third, options.fn].find((each) => typeof each === "function");
  if (options.ignore !== true) registered.push({ name: typeof first === "string" ? first : options.name, run });
};
Object.defineProperty(Deno, "test", { value: test, configurable: true });
let strayError = false;
for (const event of ["error", "unhandledrejection"]) {
  globalThis.addEventListener(event, (stray) => {
    stray.preventDefault();
    strayError = true;
  });
}

const loaded = new Map<string, readonly Test[]>();

async function testsOf(path: string, query: string): Promise<readonly Test[]> {
  const key = `${path}?mutant=${query}`;
  const known = loaded.get(key);
  if (known !== undefined) return known;
  registered = [];
  await import(`file://${copy}/${key}`);
  const tests = registered;
  if (query === "none") loaded.set(key, tests);
  return tests;
}

/** @returns the number of the test that failed or ran out of its time, undefined where none did */
async function firstFailure(tests: readonly Test[], limitMs: number): Promise<number | undefined> {
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), limitMs);
  try {
    for (const [number, { run }] of tests.entries()) {
      try {
        if (await Promise.race([run(contextOf()), late.promise]) === "late") return number;
      } catch {
        return number;
      }
    }
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function contextOf(): Deno.TestContext {
  const step = async (first: unknown, second?: unknown) => {
    const run = [first, second, Object(first).fn].find((each) => typeof each === "function");
    await run(contextOf());
    return true;
  };
  // Tests of this project use nothing else of it.
  return { name: "", origin: "", step } as unknown as Deno.TestContext;
}

async function answer({ mutant, tests }: Question, number: number): Promise<Answer> {
  for (const { path, limitMs } of tests) {
    tell({ began: path });
    current = mutant;
    strayError = false;
    counters.fill(0);
    let failed: number | undefined = 0;
    try {
      failed = await firstFailure(await testsOf(path, String(number)), limitMs);
    } catch {
      // It does not even load.
    }
    if (failed === undefined && !strayError) continue;
    current = undefined;
    const healthy = (await testsOf(path, "none")).slice(failed ?? 0, (failed ?? Infinity) + 1);
    strayError = false;
    if (await firstFailure(healthy, limitMs) !== undefined || strayError) return { verdict: "unsure" };
    return { verdict: failed === undefined ? "unsure" : "killed", by: path };
  }
  return { verdict: "survived" };
}

function tell(line: Answer | Began): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

let number = 0;
for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())) {
  tell(await answer(JSON.parse(line), number++));
}
Deno.exit(0);
