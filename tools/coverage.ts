/**
 * `deno task coverage`: which lines and branches of `src` the tests reach that run in the tests' own process, by folder, and
 * the files of which the most is not reached. Exit code 1 under 90 % of the lines.
 *
 * `--report` runs nothing and reports what `deno task test --cover` has collected. Programs that tests start behind their
 * launchers are not counted: the launchers keep the runtime's variables from them, and they are bundles.
 * @module
 */
import ts from "typescript";
import { coverageTable, type FileCoverage, parseLcov, percent, sumOf } from "./coverage_report.ts";

const leastPercent = 90;
const shownFiles = 25;
const root = new URL("../", import.meta.url).pathname;
const folder = `${root}coverage/raw`;
const encoder = new TextEncoder();

async function run(args: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd: root }).spawn().status;
  return success;
}

/** Every module of src that does something, as its path. */
async function* modules(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* modules(path);
    else if (/(?<!_test|\.d)\.tsx?$/.test(name)) yield path;
  }
}

/** A module that no test has loaded: all of its lines are missing; undefined where it has types alone. */
async function unloaded(path: string): Promise<FileCoverage | undefined> {
  const { outputText } = ts.transpileModule(await Deno.readTextFile(root + path), {
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: true },
  });
  const lines = outputText.split("\n").filter((line) => line.trim() !== "" && !/^(?:import|export \{)/.test(line));
  const nothing = { hit: 0, found: 0 };
  return lines.length === 0 ? undefined : { path, lines: { hit: 0, found: lines.length }, branches: nothing };
}

async function collected(): Promise<FileCoverage[]> {
  const lcov = await Deno.makeTempFile();
  try {
    const include = `--include=^file://${root}src/`;
    const exclude = "--exclude=(_test\\.ts|/testdata/.*)$";
    if (!await run(["coverage", "--quiet", "--lcov", include, exclude, `--output=${lcov}`, folder])) Deno.exit(1);
    const files = parseLcov(await Deno.readTextFile(lcov), root);
    const known = new Set(files.map(({ path }) => path));
    for await (const path of modules("src")) {
      const file = known.has(path) ? undefined : await unloaded(path);
      if (file !== undefined) files.push(file);
    }
    return files;
  } finally {
    await Deno.remove(lcov);
  }
}

if (!Deno.args.includes("--report")) {
  const tested = await run([
    "run",
    "-A",
    "--quiet",
    "tools/run_tests.ts",
    "--cover",
    "src",
    "tests/model",
    "tests/faults",
  ]);
  if (!tested) Deno.exit(1);
}
const files = await collected();
const lines = percent(sumOf(files.map(({ lines }) => lines)));
await Deno.stdout.write(encoder.encode(`${coverageTable(files, shownFiles).join("\n")}\n`));
if (lines < leastPercent) {
  await Deno.stderr.write(
    encoder.encode(`${lines.toFixed(1)} % of the lines are reached, ${leastPercent} % are least\n`),
  );
  Deno.exit(1);
}
