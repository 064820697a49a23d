import assert from "node:assert/strict";
import { metricsTable } from "../../src/metrics/metrics_table.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { launcherOf } from "../support/processes/processes.ts";
import { type Differences, differencesOnPurpose, recordedOriginal } from "./recorded.ts";
import { metered, type Mode, type Series, type Shown } from "./traffic.ts";

/** How long figures may take to be the expected ones, in milliseconds. */
const patienceMs = 60_000;

const common = "konnectivity_network_proxy_";

/** The original's metrics, by whole name. */
const originals = new Set(metricsTable().filter(({ origin }) => origin === "original").map(({ name }) => name));

function nameOf(series: string): string {
  return series.replace(/\{.*$/, "").replace(/_count$/, "");
}

function isOriginal(series: string): boolean {
  return originals.has(nameOf(series)) || originals.has(series.replace(/\{.*$/, ""));
}

const { runs, commit, process, metrics } = await recordedOriginal();
const differences = await differencesOnPurpose();

/** The differences that were seen. */
const seen = new Set<Differences["metrics"][number]>();

/** Whether a series may be another one. */
function onPurpose(mode: Mode, series: string): boolean {
  const found = differences.metrics.find((each) =>
    (each.mode ?? mode) === mode && [series, nameOf(series)].includes(common + each.metric)
  );
  if (found !== undefined) seen.add(found);
  return found !== undefined;
}

/** What a program shows otherwise than was recorded. A series that the original does not show yet may be here with 0. */
function faultsOf(ours: Series, recorded: Series, mode: Mode): string[] {
  const faults: string[] = [];
  for (const series of new Set([...Object.keys(recorded), ...Object.keys(ours).filter(isOriginal)])) {
    if (series.startsWith("process_")) continue;
    const [expected, value] = [recorded[series], ours[series]];
    const absent = series.includes('"Proxy"') && mode === "http-connect" ? undefined : 0;
    if (value === expected || (expected === undefined && value === absent) || onPurpose(mode, series)) continue;
    faults.push(`${series.slice(common.length)}: ${value}, the original's: ${expected}`);
  }
  return faults;
}

function faults(ours: Shown, recorded: Shown, mode: Mode): string[] {
  return [
    ...faultsOf(ours.server, recorded.server, mode),
    ...faultsOf(ours.agent ?? {}, recorded.agent ?? {}, mode),
  ];
}

for (const { mode, strategies, shown } of runs) {
  leakTest(
    `[server 11] [agent 7] ${mode}, ${strategies}: server and agent show what the original's show under the same traffic`,
    async () => {
      const commands = { server: await launcherOf("server"), agent: await launcherOf("agent") };
      await metered(mode, strategies, commands, async (step, scrape) => {
        const deadline = performance.now() + patienceMs;
        for (;;) {
          const found = faults(await scrape(), shown[step], mode);
          if (found.length === 0) return;
          if (performance.now() > deadline) assert.deepEqual(found, [], `${step}, recorded from ${commit}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      });
    },
  );
}

Deno.test("each difference on purpose was seen", () => {
  const unseen = differences.metrics.filter((each) => !seen.has(each));
  assert.deepEqual(unseen, [], "differences.json names what is no difference");
});

leakTest(
  "server and agent show what the original's processes show of themselves, or a reason says why not",
  async () => {
    const { lacking } = differences;
    const lacks = (name: string) => lacking.some(({ names }) => name.startsWith(names.replace(/\*$/, "")));
    const commands = { server: await launcherOf("server"), agent: await launcherOf("agent") };
    await metered("grpc", "default", commands, async (step, scrape) => {
      if (step !== "agent connected") return;
      const { server, agent = {} } = await scrape();
      for (const [program, series] of Object.entries({ server, agent })) {
        for (const name of process) {
          assert.equal(series[name] !== undefined, !lacks(name), `${name} of ${program}`);
        }
        const value = (name: string) => series[`process_${name}`] ?? 0;
        assert.ok(value("virtual_memory_bytes") > value("resident_memory_bytes"), program);
        assert.equal(value("virtual_memory_max_bytes"), 2 ** 64 - 1, program);
        assert.ok(value("open_fds") > 5 && value("max_fds") > value("open_fds"), program);
      }
    });
  },
);

Deno.test("every metric that the original declares is declared here, with its type, labels and help", () => {
  const rows = metricsTable().filter(({ origin, name }) => origin === "original" && name.startsWith(common));
  const ours = new Map(rows.map(({ name, type, help, labels }) => [name, { name, type, help, labels }]));
  const recorded = Object.values(metrics).flat();
  for (const metric of recorded) assert.deepEqual(ours.get(metric.name), metric);
  assert.deepEqual(rows.map(({ name }) => name).toSorted(), recorded.map(({ name }) => name).toSorted());
});
