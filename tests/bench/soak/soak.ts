/**
 * `deno task soak [--minutes=30] [--out=docs/bench/soak]`: everything at once for a long time, with both kinds of frontend side
 * by side: connections that come and go, certificates and authorities that are replaced, agents that drain, that are killed
 * and that come in storms, scrapes and watchers. Writes memory and descriptors by the minute, as curves and as a table, and
 * fails where a connection failed for no reason, or memory grew.
 * @module
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { build } from "../../../tools/build.ts";
import { httpGet } from "../../support/processes/processes.ts";
import { until } from "../../support/assert/until.ts";
import { startBenchDestinations } from "../bench_world.ts";
import { rssBytes } from "../process_figures.ts";
import { growthFault, type SoakMinute, writeSoak } from "./soak_report.ts";
import { SoakLoad } from "./soak_load.ts";
import { type SoakMode, SoakWorld } from "./soak_world.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const mebibyte = 1024 * 1024;
const modes: readonly SoakMode[] = ["grpc", "http"];

function tell(line: string): void {
  // deno-lint-ignore no-console -- what a person at a terminal is told
  console.error(line);
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** The figures of a world at the end of a minute. */
function minuteOf(world: SoakWorld, at: number): SoakMinute {
  const [first] = world.agents;
  const agent = first?.program.pid ?? 0;
  const { pid } = world.server;
  return {
    at,
    server: { rssMiB: rssBytes(pid) / mebibyte, descriptors: descriptors(pid) },
    agent: { rssMiB: rssBytes(agent) / mebibyte, descriptors: descriptors(agent) },
  };
}

/** Nothing of a tunnel is left once its clients are gone. */
async function assertEmpty({ mode, ports }: SoakWorld): Promise<void> {
  await until(`the ${mode} server has no tunnel`, async () => {
    const { body } = await httpGet(ports.admin, "/metrics");
    return /^konnectivity_network_proxy_server_established_connections 0$/m.test(body);
  });
}

async function soak(minutes: number, out: string): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "soak" });
  const code = await build(folder);
  if (code !== 0) throw new Error(`the build ended with ${code}`);
  const faults: string[] = [];
  {
    await using destinations = await startBenchDestinations();
    await using worlds = new AsyncDisposableStack();
    const over = new AbortController();
    const seen = await Promise.all(modes.map(async (mode) => {
      const world = worlds.use(await SoakWorld.start(mode, `${folder}/bin`, folder, 3));
      const load = new SoakLoad(world, destinations.at, over.signal);
      return { mode, world, load, minutes: [] as SoakMinute[] };
    }));
    const running = Promise.all(seen.map(({ load }) => load.run())).finally(() => over.abort());
    const from = performance.now();
    for (let at = 1; at <= minutes && !over.signal.aborted; at++) {
      const wait = new Promise((resolve) => setTimeout(resolve, from + at * 60_000 - performance.now()));
      await Promise.race([wait, running]);
      for (const each of seen) {
        each.minutes.push(minuteOf(each.world, at));
        tell(JSON.stringify({ mode: each.mode, ...each.minutes.at(-1), ...each.load.counts }));
      }
      await writeSoak(out, seen.map(({ mode, load, minutes }) => ({ mode, minutes, counts: load.counts })));
    }
    over.abort();
    await running;
    for (const { mode, world, load, minutes } of seen) {
      await assertEmpty(world);
      if (load.counts.unexplained > 0) {
        faults.push(`${mode}: ${load.counts.unexplained} connections: ${load.counts.reasons.join("; ")}`);
      }
      faults.push(...growthFault(mode, minutes));
    }
    await writeSoak(out, seen.map(({ mode, load, minutes }) => ({ mode, minutes, counts: load.counts })));
  }
  await Deno.remove(folder, { recursive: true });
  return faults;
}

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    minutes: { type: "string", default: "30" },
    out: { type: "string", default: `${root}docs/bench/soak` },
  },
});
const minutes = Number(values.minutes);
if (!Number.isInteger(minutes) || minutes < 1) {
  throw new Error(`--minutes=${values.minutes} is no whole number above 0`);
}
const faults = await soak(minutes, values.out);
for (const each of faults) tell(`FAULT: ${each}`);
Deno.exit(faults.length === 0 ? 0 : 1);
