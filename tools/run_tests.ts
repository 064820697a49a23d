/**
 * `deno task test`: all tests that need no Kubernetes API. Each file that takes long is a process of its own, the
 * slowest first, and the others share processes, so that no processor is left with nothing to do while the last file
 * runs on alone. Not the runner's own `--parallel`: that runs files side by side in one process, whose open files could
 * then not be told apart.
 *
 * Files named `*_long_test.ts` take minutes, or repeat at length what another test shows at a glance: they run with
 * `--long`, or where they are named. Arguments that are files or folders are run instead of everything; the others go to
 * the runner.
 *
 * `--cover` has the tests that share processes collect what they reach of `src`, for tools/coverage.ts: those that have a
 * process of their own start others for the most part, and some of them measure time. `--times` runs each file alone, and
 * tells the seconds and the processors' time of each.
 * @module
 */
import { buildPeers, goVersion } from "../tests/conformance/go_build.ts";
import { builtProject } from "../tests/support/processes/built_project.ts";

/** Files that take long, the slowest first: those that wait for real time to pass, then by the processors' time. */
const slow: readonly string[] = [
  "tests/e2e/faults/network_test.ts",
  "tests/e2e/demo_test.ts",
  "tests/e2e/faults/certificates_test.ts",
  "tests/e2e/leases_status_test.ts",
  "tests/e2e/faults/frozen_test.ts",
  "tests/conformance/h2spec_test.ts",
  "tests/e2e/reach_test.ts",
  "tests/e2e/process_identity_test.ts",
  "tests/e2e/process_memory_test.ts",
  "tests/conformance/openssl_test.ts",
  "tests/field/field_test.ts",
  "tests/e2e/readme_test.ts",
  "tests/fuzz/inputs/inputs_test.ts",
  "tests/conformance/hostile_test.ts",
  "tests/e2e/process_calls_flood_test.ts",
  "tests/e2e/launcher_test.ts",
  "tests/e2e/descriptors_test.ts",
  "tests/e2e/konnectivity_diag_test.ts",
  "tests/e2e/process_test.ts",
  "tests/e2e/workers_end_test.ts",
  "tests/e2e/process_audit_test.ts",
  "tests/e2e/process_bytes_flood_test.ts",
  "tests/e2e/balancers_test.ts",
  "tests/e2e/documents_test.ts",
  "tests/conformance/konnectivity_client_test.ts",
  "tests/conformance/grpc_clients_test.ts",
  "tests/spec/transfers_test.ts",
  "tests/e2e/build_test.ts",
  "tests/e2e/fleet_test.ts",
  "tests/e2e/network_test.ts",
  "tests/conformance/legacy_agent_test.ts",
  "tests/conformance/curl_test.ts",
  "tests/e2e/events_test.ts",
  "tests/e2e/probe_test.ts",
  "tests/fuzz/fuzz_test.ts",
  "tests/browser/page_test.ts",
  "tests/conformance/h2load_test.ts",
  "tests/e2e/konnectivity_check_test.ts",
  "tests/conformance/egress_test.ts",
  "tests/e2e/process_authority_test.ts",
  "tests/conformance/tls_resumption_test.ts",
];
/** Each file has a process of its own, and what each took is told: to see where the time goes. */
const apart = Deno.args.includes("--times");
/** How many of the others share a process; fewer of those that start processes, each of which takes longer. */
const shareFiles = (file: string) => apart ? 1 : /^tests\/(e2e|conformance)\//.test(file) ? 5 : 14;
/** Twice as many as there are processors: tests also wait for time to pass. */
const quietProcesses = Math.max(3, Math.min(8, 2 * navigator.hardwareConcurrency));
/** How many more run beside other busy programs, which would have most of the processors else: two for each of them. */
const mostMoreProcesses = 6;
/** Also the files that are left out as too long for every run. */
const long = Deno.args.includes("--long");
const limitMs = (long ? 40 : 18) * 60_000;

/** Files that run in one process. */
interface Unit {
  readonly files: readonly string[];
  /** They use the Go programs of tests/conformance. */
  readonly needsGo: boolean;
}

interface Outcome {
  readonly unit: Unit;
  readonly seconds: number;
  /** Of processors: the process and what it started, as far as somebody waited for it. */
  readonly cpuSeconds: number;
  readonly code: number;
  readonly passed: number;
  readonly failed: number;
}

const encoder = new TextEncoder();

async function isPath(name: string): Promise<boolean> {
  try {
    await Deno.stat(name);
    return true;
  } catch {
    return false;
  }
}

/** The test files in a folder, but long ones where they were not asked for; or the file itself. None of tests/kube. */
async function testFiles(place: string): Promise<string[]> {
  if ((await Deno.stat(place)).isFile) return [place];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(place)) {
    const path = `${place.replace(/^\.\//, "").replace(/\/$/, "")}/${name}`;
    if (isDirectory && path !== "tests/kube") found.push(...await testFiles(path));
    else if (name.endsWith("_test.ts") && (long || !name.endsWith("_long_test.ts"))) found.push(path);
  }
  return found;
}

/** Whether a test file uses the Go programs. */
async function needsGo(file: string): Promise<boolean> {
  return goVersion !== undefined && (await Deno.readTextFile(file)).includes('/go_peers.ts"');
}

/** Divides files into what runs in one process each, in the order in which they begin. */
async function unitsOf(files: readonly string[]): Promise<Unit[]> {
  const alone: Unit[] = [];
  for (const file of slow) {
    if (files.includes(file)) alone.push({ files: [file], needsGo: await needsGo(file) });
    else if (!(await isPath(file))) throw new Error(`tools/run_tests.ts names ${file}, which is not there`);
  }
  const alike = new Map<string, { readonly needsGo: boolean; readonly share: number; readonly files: string[] }>();
  for (const file of files.filter((each) => !slow.includes(each))) {
    const kind = { needsGo: await needsGo(file), share: shareFiles(file) };
    alike.getOrInsertComputed(`${kind.needsGo} ${kind.share}`, () => ({ ...kind, files: [] })).files.push(file);
  }
  const together: Unit[] = [];
  // Those of fewer files first: each of these files takes longer.
  for (const { needsGo, share, files: some } of [...alike.values()].sort((a, b) => a.share - b.share)) {
    const count = Math.ceil(some.length / share);
    for (let at = 0; at < count; at++) {
      // Dealt out like cards: neighbours in a folder take alike.
      together.push({ files: some.filter((_, index) => index % count === at), needsGo });
    }
  }
  return [...alone, ...together];
}

/** How many programs beside this one want a processor right now; 0 where the system does not tell. */
async function othersRunning(): Promise<number> {
  const seen: number[] = [];
  for (let sample = 0; sample < 9; sample++) {
    try {
      const [, running] = /^procs_running (\d+)$/m.exec(await Deno.readTextFile("/proc/stat")) ?? [];
      seen.push(Math.max(0, Number(running ?? 1) - 1));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return seen.toSorted((a, b) => a - b)[seen.length >> 1] ?? 0;
}

/** What the processes that run now have said. */
const inFlight = new Map<Unit, Uint8Array[]>();

/** The shell runs the process, and then tells what it and its children took of the processors, which the runtime does not. */
const timed = '"$0" "$@"; code=$?; echo "=== times"; times; exit $code';
/** What it tells: `times` prints those of the shell, and of its children. */
const timesTold = /^=== times\n.+\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n/m;

/** Where the runner writes what was reached. */
const coverageFlags: readonly string[] = ["--coverage=coverage/raw", "--coverage-raw-data-only"];

async function runUnit(unit: Unit, given: readonly string[]): Promise<Outcome> {
  const covered = given.includes("--cover") && (unit.files.length > 1 || unit.files[0]?.startsWith("src/") === true);
  const flags = [...given.filter((flag) => flag !== "--cover"), ...covered ? coverageFlags : []];
  const start = performance.now();
  const said: Uint8Array[] = [];
  inFlight.set(unit, said);
  const child = new Deno.Command("sh", {
    args: ["-c", timed, Deno.execPath(), "test", "-A", "--quiet", "--no-check", ...flags, ...unit.files],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Each process's words stay together.
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) said.push(chunk);
  };
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  const { code } = await child.status;
  inFlight.delete(unit);
  const all = await new Blob(said as Uint8Array<ArrayBuffer>[]).text();
  const times = timesTold.exec(all);
  const text = all.replace(timesTold, "");
  await Deno.stdout.write(encoder.encode(text));
  const summary = text.split("\n").findLast((line) => /^(ok|FAILED) \| \d+ passed/.test(line)) ?? "";
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(summary)?.[1] ?? 0);
  return {
    unit,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (times?.slice(1) ?? []).reduce((sum, part, at) => sum + Number(part) * (at % 2 === 0 ? 60 : 1), 0),
    code,
    passed: count("passed"),
    failed: count("failed"),
  };
}

/** Runs all units, some at a time; those that need Go once its programs are there. */
async function runAll(units: readonly Unit[], flags: readonly string[]): Promise<Outcome[]> {
  const processes = quietProcesses + Math.min(mostMoreProcesses, 2 * await othersRunning());
  const waiting = [...units];
  const outcomes: Outcome[] = [];
  let built = false;
  // Where the build fails, the tests say so.
  const building = waiting.some(({ needsGo }) => needsGo)
    ? buildPeers().catch(() => {}).finally(() => built = true)
    : Promise.resolve();
  // Once, before several processes need it and build it each. Where that fails, the tests say so.
  await builtProject().catch(() => {});
  const next = async (): Promise<Unit | undefined> => {
    const at = waiting.findIndex(({ needsGo }) => built || !needsGo);
    if (at >= 0) return waiting.splice(at, 1)[0];
    if (waiting.length === 0) return undefined;
    await building;
    return waiting.shift();
  };
  await Promise.all(Array.from({ length: processes }, async () => {
    for (let unit = await next(); unit !== undefined; unit = await next()) outcomes.push(await runUnit(unit, flags));
  }));
  return outcomes;
}

const timer = setTimeout(() => {
  for (const [{ files }, said] of inFlight) {
    Deno.stderr.writeSync(encoder.encode(`\n--- not at its end: ${files.join(" ")}\n`));
    for (const chunk of said) Deno.stderr.writeSync(chunk);
  }
  Deno.stderr.writeSync(encoder.encode(`\nthe tests took longer than ${limitMs / 60_000} minutes\n`));
  Deno.exit(1);
}, limitMs);
const places: string[] = [];
const flags: string[] = [];
for (const arg of Deno.args.filter((arg) => !["--long", "--times"].includes(arg))) {
  (!arg.startsWith("-") && await isPath(arg) ? places : flags).push(arg);
}
if (flags.includes("--cover") && await isPath("coverage/raw")) await Deno.remove("coverage/raw", { recursive: true });
const files = (await Promise.all((places.length === 0 ? ["src", "tests"] : places).map(testFiles))).flat().sort();
const outcomes = await runAll(await unitsOf(files), flags);
clearTimeout(timer);
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
const good = outcomes.every((outcome) => outcome.code === 0) && passed > 0;
const tenths = (seconds: number) => `${seconds.toFixed(1)} s`;
const longest = outcomes.toSorted((a, b) => b.seconds - a.seconds).slice(0, apart ? undefined : 10);
const lines = longest.map(({ unit: { files: [first, ...rest] }, seconds, cpuSeconds }) =>
  `${tenths(seconds)}, ${tenths(cpuSeconds)} of a processor  ${first}${
    rest.length === 0 ? "" : ` and ${rest.length} more`
  }`
);
const cpuSeconds = outcomes.reduce((sum, outcome) => sum + outcome.cpuSeconds, 0);
lines.push(`${tenths(performance.now() / 1000)}, ${tenths(cpuSeconds)} of processors  all of them`);
await Deno.stdout.write(encoder.encode(
  `\nlongest:\n${lines.join("\n")}\n\n${good ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed (all files)\n`,
));
Deno.exit(good ? 0 : 1);
