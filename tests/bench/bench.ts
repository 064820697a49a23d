/**
 * `deno task bench`: measures this project on this machine, alone or side by side with others, and writes BENCHMARKS.md, the
 * plots and results.json under docs/bench.
 *
 *     deno task bench [--against='NAME=SERVER COMMAND|AGENT COMMAND'] [--rounds=3] [--modes=grpc-uds,…] [--only=REGEXP]
 *                     [--mib=256] [--no-curves] [--churn=MINUTES] [--out=FOLDER] [--quick]
 *                     [--agents=1,100,1000] [--links=direct,grpc]
 *                     [--subject='NAME=SERVER COMMAND|AGENT COMMAND']
 *
 * The original's flags are added to the commands. Rounds alternate between the implementations.
 *
 * With the curves come fleets: many agents of ours on one server, 1, 100 and 1,000 of them. `--agents` gives other numbers,
 * also beside `--no-curves`: `--agents=10000` takes some minutes, and 11,500 file descriptors (`ulimit -Hn`). Fleets alone:
 * `--only='^$' --no-curves --agents=1000`.
 * @module
 */
import { build } from "../../tools/build.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import type { BenchDestinations } from "./bench_destinations.ts";
import {
  type BenchMode,
  type BenchPlace,
  BenchWorld,
  type Implementation,
  startBenchDestinations,
} from "./bench_world.ts";
import { type BenchOptions, mebibyte, parseOptions, root } from "./bench_options.ts";
import type { LinkKind } from "./fleet.ts";
import { measureFleet } from "./fleet_bench.ts";
import type { Job } from "./load.ts";
import { figuresTable, fleetCurve, fleetTable, writeReport } from "./report.ts";
import { Results } from "./results.ts";
import { type Scenario, scenarios } from "./scenarios.ts";

/** Curves are drawn for the modes that kube-apiserver uses most and that cost least. */
const curveModes: readonly BenchMode[] = ["grpc-uds", "http-uds"];

function tell(line: string): void {
  // deno-lint-ignore no-console -- what a person at a terminal is told
  console.error(line);
}

/** This project as its users run it, behind the launchers that `deno task build` makes. */
function ourselves(folder: string): Implementation {
  return {
    name: "konnectivity-deno",
    server: [`${folder}/bin/proxy-server`],
    agent: [`${folder}/bin/proxy-agent`],
  };
}

/** Runs everything that the options ask for. */
class Bench {
  readonly #options: BenchOptions;
  readonly #implementations: readonly Implementation[];
  readonly #results: Results;
  readonly #place: BenchPlace;
  readonly #destinations: BenchDestinations;

  constructor(
    options: BenchOptions,
    implementations: readonly Implementation[],
    results: Results,
    place: BenchPlace,
    destinations: BenchDestinations,
  ) {
    this.#options = options;
    this.#implementations = implementations;
    this.#results = results;
    this.#place = place;
    this.#destinations = destinations;
  }

  async run(): Promise<void> {
    const { rounds, modes, curves, churnMinutes } = this.#options;
    const measured = scenarios(this.#options.sizes).some(({ name }) => this.#options.only.test(name));
    for (let round = 1; measured && round <= rounds; round++) {
      for (const mode of modes) {
        // What is measured first of two finds another machine than what comes after it: each is first in every second round.
        const inOrder = round % 2 === 1 ? this.#implementations : this.#implementations.toReversed();
        for (const each of inOrder) {
          tell(`round ${round} of ${rounds}: ${mode}, ${each.name}`);
          await this.#round(each, mode);
        }
      }
    }
    if (churnMinutes > 0) {
      for (const mode of modes.filter((each) => curveModes.includes(each))) {
        for (const each of this.#implementations) {
          tell(`${churnMinutes} minutes of churn: ${mode}, ${each.name}`);
          await this.#churn(each, mode, churnMinutes);
        }
      }
    }
    for (const at of this.#options.fleets) {
      for (const kind of this.#options.links) {
        for (const each of this.#implementations) {
          tell(`${at} agents: links ${kind}, ${each.name}`);
          await this.#fleet(each, at, kind);
        }
      }
    }
    if (!curves) return;
    for (const mode of modes.filter((each) => curveModes.includes(each))) {
      for (const each of this.#implementations) {
        tell(`curves: ${mode}, ${each.name}`);
        await this.#curves(each, mode);
      }
    }
  }

  async #round(each: Implementation, mode: BenchMode): Promise<void> {
    const wanted = scenarios(this.#options.sizes).filter(({ name }) => this.#options.only.test(name));
    const used = wanted.filter(({ fresh }) => fresh !== true);
    if (used.length > 0) await this.#scenarios(each, mode, used);
    for (const scenario of wanted.filter(({ fresh }) => fresh === true)) await this.#scenarios(each, mode, [scenario]);
  }

  /** Measures some scenarios with the same processes. */
  async #scenarios(each: Implementation, mode: BenchMode, wanted: readonly Scenario[]): Promise<void> {
    await this.#with(each, mode, "start", 1, async (world) => {
      this.#results.add(each.name, mode, "empty", world.startFigures);
      for (const { name, job, limitMs = this.#options.sizes.limitMs } of wanted) {
        await this.#tried(each, mode, name, async () => {
          const figures = await world.load(this.#destinations, job, limitMs);
          this.#results.add(each.name, mode, name, figures);
        });
      }
    });
  }

  async #curves(each: Implementation, mode: BenchMode): Promise<void> {
    const { tunnels, writeBytes, agents, distances, bytes, distantBytes, pings, dials } = this.#options.sizes.curves;
    /** @param wanted the figures to keep, all by default, and what they are called in the curve */
    const point = async (
      world: BenchWorld,
      curve: string,
      job: Job,
      at?: number,
      wanted?: Readonly<Record<string, string>>,
    ) => {
      await this.#tried(each, mode, `${curve} ${at ?? ""}`.trim(), async () => {
        const figures = await world.load(this.#destinations, job, this.#options.sizes.limitMs);
        const kept = figures.flatMap((figure) => {
          const name = wanted === undefined ? figure.name : wanted[figure.name];
          return name === undefined ? [] : [{ ...figure, name }];
        });
        this.#results.addCurve(each.name, mode, curve, kept, at);
      });
    };
    // Memory first, by itself: what a download leaves behind is no tunnel's.
    await this.#with(each, mode, "tunnels", 1, async (world) => {
      await point(world, "tunnels", { kind: "tunnels", steps: tunnels, bytes: 0, pings });
    });
    await this.#with(each, mode, "tunnels", 1, async (world) => {
      const downloads = { kind: "tunnels", steps: tunnels, bytes, pings: 1 } as const;
      await point(world, "tunnels", downloads, undefined, { throughput: "throughput" });
    });
    await this.#with(each, mode, "write size", 1, async (world) => {
      for (const at of writeBytes) {
        // Small writes would take minutes for as many bytes.
        const job = { kind: "move", direction: "upload", connections: 1, bytes: Math.min(bytes, at * 20_000) } as const;
        await point(world, "write size", { ...job, writeBytes: at }, at);
      }
    });
    for (const at of agents) {
      await this.#with(each, mode, "agents", at, async (world) => {
        const download = { kind: "move", direction: "download", connections: 16, bytes } as const;
        await point(world, "agents", download, at, { throughput: "throughput" });
        await point(world, "agents", { kind: "ping", count: pings }, at, { p50: "ping p50", p99: "ping p99" });
        await point(world, "agents", { kind: "dial", lanes: 32, count: dials }, at, { rate: "dial rate" });
        const rss = world.startFigures.filter(({ name }) => name === "server RSS");
        this.#results.addCurve(each.name, mode, "agents", rss, at);
      });
    }
    for (const at of distances) {
      await this.#with(each, mode, "distance", 1, async (world) => {
        for (const direction of ["download", "upload"] as const) {
          for (const connections of [1, 16]) {
            const job = { kind: "move", direction, connections, bytes: distantBytes } as const;
            await point(world, "distance", job, at, { throughput: `${direction} x${connections}` });
          }
        }
        const { loadedPings: count } = this.#options.sizes;
        const beside = { kind: "ping under load", count, downloads: 8 } as const;
        await point(world, "distance", beside, at, { p50: "loaded ping p50", p99: "loaded ping p99" });
      }, at);
    }
  }

  async #churn(each: Implementation, mode: BenchMode, minutes: number): Promise<void> {
    await this.#with(each, mode, "churn", 1, async (world) => {
      const { churnMinuteMs: minuteMs, limitMs } = this.#options.sizes;
      const job = { kind: "churn", minutes, minuteMs } as const;
      const figures = await world.load(this.#destinations, job, minutes * minuteMs + limitMs);
      this.#results.addCurve(each.name, mode, "churn", figures);
    });
  }

  async #fleet(each: Implementation, agents: number, kind: LinkKind): Promise<void> {
    const mode = `links ${kind}`;
    await this.#tried(each, mode, `${agents} agents`, async () => {
      const figures = await measureFleet(each, this.#place, this.#destinations, agents, kind, this.#options.sizes);
      this.#results.addCurve(each.name, mode, fleetCurve, figures, agents);
    });
  }

  async #with(
    each: Implementation,
    mode: BenchMode,
    what: string,
    agents: number,
    use: (world: BenchWorld) => Promise<void>,
    delayMs = 0,
  ): Promise<void> {
    await this.#tried(each, mode, what, async () => {
      await using world = await BenchWorld.start(each, mode, this.#place, agents, { delayMs });
      await use(world);
    });
  }

  /** What fails is noted, and the others are measured all the same. */
  async #tried({ name }: Implementation, mode: string, scenario: string, measure: () => Promise<void>): Promise<void> {
    try {
      await measure();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      tell(`${name}, ${mode}, ${scenario} failed: ${reason}`);
      this.#results.failed.push({ implementation: name, mode, scenario, reason });
    }
  }
}

function machine(): string {
  const { total } = Deno.systemMemoryInfo();
  let processor = "";
  try {
    processor = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "";
  } catch {
    // Another system than Linux.
  }
  return [
    `${navigator.hardwareConcurrency} cores`,
    ...(processor === "" ? [] : [processor]),
    `${Math.round(total / 1024 / mebibyte)} GiB of memory`,
    `${Deno.build.os} ${Deno.osRelease()}`,
  ].join(", ");
}

async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    tell(`Error: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
  const { version }: { version: string } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-bench-" });
  let results: Results;
  try {
    if (options.subject === undefined && await build(folder) !== 0) throw new Error("the project could not be built");
    const subject = options.subject ?? ourselves(folder);
    const implementations = [subject, ...options.others];
    const shown = (command: readonly string[]) =>
      command.join(" ").replaceAll(`${folder}/`, "").replaceAll(`${root}/`, "").replace(Deno.execPath(), "deno");
    results = new Results({
      machine: machine(),
      versions: [`konnectivity ${version}`, `Deno ${Deno.version.deno}`, `V8 ${Deno.version.v8}`],
      command: ["deno task bench", ...args.map((arg) => /\s|\|/.test(arg) ? `'${arg}'` : arg)].join(" "),
      implementations: implementations.map(({ name, server, agent }) => ({
        name,
        server: shown(server),
        agent: shown(agent),
      })),
      rounds: options.rounds,
    });
    const certificates = await writeTestCertificates(folder, await testCertificates());
    await using destinations = await startBenchDestinations();
    await new Bench(options, implementations, results, { folder, certificates }, destinations.at).run();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await writeReport(results, options.out);
  // deno-lint-ignore no-console -- what a person at a terminal is told
  console.log([fleetTable(results), figuresTable(results)].join("\n\n").trim());
  const subject = results.facts.implementations[0]?.name;
  return results.failed.some((each) => each.implementation === subject) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
