/**
 * `deno task original CHECKOUT`: writes docs/original/recorded.json anew from a checkout of the original
 * (kubernetes-sigs/apiserver-network-proxy): the flags that its programs list, the metrics that its sources declare, and
 * what a server and an agent of it show when traffic goes through them. Needs Go, which builds the programs, and git.
 * The tests then name what we lack or have otherwise; docs/original/README.md says how to go on.
 * @module
 */
import {
  type Recorded,
  recordedFile,
  type RecordedFlag,
  type RecordedMetric,
  type RecordedRun,
} from "../tests/original/recorded.ts";
import { metered, type Mode, type Series, settled, type Shown, type Step } from "../tests/original/traffic.ts";
import { print, printError } from "../src/programs/terminal.ts";

/** Our programs by the folders of the original's. */
const programs: Readonly<Record<string, string>> = {
  server: "proxy-server",
  agent: "proxy-agent",
  "test-client": "proxy-test-client",
  "test-server": "http-test-server",
};

/** The traffic that is recorded: each mode, and strategies that count agents otherwise. */
const runs: readonly (readonly [Mode, string])[] = [
  ["grpc", "default"],
  ["grpc", "destHost"],
  ["http-connect", "default"],
];

async function output(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return text;
}

/** The lines of pflag's help, `-v, --v Level   what it does (default 4)`; without a type the flag is a switch. */
export function flagsOf(help: string): RecordedFlag[] {
  const flags: RecordedFlag[] = [];
  for (const line of help.split("\n")) {
    const found = /^ {2}(?:-., | {4})--([\w-]+)(?: (\w+))? {2,}(.*)$/.exec(line);
    if (found === null) continue;
    const [, name = "", type = "bool", text = ""] = found;
    const [, quoted, bare] = /\(default (?:"([^"]*)"|([^)]*))\)$/.exec(text) ?? [];
    const value = quoted ?? bare;
    const random = /^[\da-f]{8}-[\da-f]{4}-/.test(value ?? "");
    flags.push({ name, type, ...(value === undefined || random ? {} : { default: value }) });
  }
  return flags;
}

/** What a file of Go declares with Prometheus' library, by its name within the program; labels in alphabetical order, as they are shown. */
export function metricsOf(source: string): RecordedMetric[] {
  const declared = /prometheus\.New(Counter|Gauge|Histogram)(?:Vec)?\(\s*prometheus\.\w+\{((?:[^{}]|\{[^{}]*\})*)\}/g;
  return [...source.matchAll(declared)].flatMap((match) => {
    const [whole, kind = "", options = ""] = match;
    const [, name] = /\bName:\s*"([^"]+)"/.exec(options) ?? [];
    const [, help = ""] = /\bHelp:\s*"([^"]*)"/.exec(options) ?? [];
    if (name === undefined) return [];
    const [, list = ""] = /^,?\s*\[\]string\{([^}]*)\}/.exec(source.slice(match.index + whole.length)) ?? [];
    const labels = [...list.matchAll(/"([^"]+)"/g)].map(([, label = ""]) => label).toSorted();
    return [{ name, type: kind.toLowerCase(), help, labels }];
  });
}

/** The metrics that the checkout's sources declare, by program. */
async function declaredMetrics(checkout: string): Promise<Recorded["metrics"]> {
  const files = (await output("git", ["ls-files", "pkg", "konnectivity-client/pkg"], checkout)).split("\n");
  const found: Record<"server" | "agent" | "client", RecordedMetric[]> = { server: [], agent: [], client: [] };
  for (const file of files) {
    const [, place] = /(server|agent|client|common)\/metrics\/\w+\.go$/.exec(file) ?? [];
    if (place === undefined || file.endsWith("_test.go")) continue;
    const metrics = metricsOf(await Deno.readTextFile(`${checkout}/${file}`));
    for (const program of ["server", "agent", "client"] as const) {
      if (place !== program && place !== "common") continue;
      const prefix = `konnectivity_network_proxy_${program}_`;
      found[program].push(...metrics.map((metric) => ({ ...metric, name: prefix + metric.name })));
    }
  }
  for (const list of Object.values(found)) list.sort((one, two) => one.name < two.name ? -1 : 1);
  return found;
}

async function record(checkout: string): Promise<Recorded> {
  const commit = (await output("git", ["rev-parse", "HEAD"], checkout)).trim();
  const date = (await output("git", ["log", "-1", "--format=%cs"], checkout)).trim();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-original-" });
  try {
    const flags: Record<string, RecordedFlag[]> = {};
    for (const [place, program] of Object.entries(programs)) {
      print(`builds and asks ${place}`);
      await output("go", ["build", "-o", `${folder}/${place}`, `./cmd/${place}`], checkout);
      flags[program] = flagsOf(await output(`${folder}/${place}`, ["--help"], folder));
    }
    const commands = { server: [`${folder}/server`], agent: [`${folder}/agent`] };
    const process = new Set<string>();
    const recordedRuns: RecordedRun[] = [];
    for (const [mode, strategies] of runs) {
      const shown: Partial<Record<Step, Shown>> = {};
      await metered(mode, strategies, commands, async (step, scrape) => {
        print(`${mode}, ${strategies}: ${step}`);
        const { server, agent } = await settled(scrape);
        for (const name of Object.keys(server)) if (name.startsWith("process_")) process.add(name);
        shown[step] = agent === undefined ? { server: own(server) } : { server: own(server), agent: own(agent) };
      });
      recordedRuns.push({ mode, strategies, shown: shown as Record<Step, Shown> });
    }
    return { commit, date, flags, metrics: await declaredMetrics(checkout), process: [...process], runs: recordedRuns };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Without the figures of the process, which are others at each run. */
function own(series: Series): Series {
  return Object.fromEntries(Object.entries(series).filter(([name]) => !name.startsWith("process_")));
}

if (import.meta.main) {
  const [checkout] = Deno.args;
  if (checkout === undefined) {
    printError("usage: deno task original CHECKOUT");
    Deno.exit(1);
  }
  const recorded = await record(await Deno.realPath(checkout));
  await Deno.writeTextFile(recordedFile, JSON.stringify(recorded, undefined, 2) + "\n");
  print(`wrote docs/original/recorded.json from ${recorded.commit}; now run deno fmt and deno task test`);
  Deno.exit(0);
}
