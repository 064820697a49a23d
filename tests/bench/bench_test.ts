import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { parseOptions } from "./bench_options.ts";
import { assertSvg, runBench } from "./bench_process.ts";
import { plotSvg, short } from "./plot.ts";
import { fleetFault } from "./fleet.ts";
import { curvePlots, figuresTable, fleetCurve, fleetTable, readable } from "./report.ts";
import { median, Results } from "./results.ts";

leakTest("an implementation that does not start is told of, and the others are measured all the same", async () => {
  const out = await Deno.makeTempDir({ prefix: "konnectivity-bench-test-" });
  try {
    const bin = `${await builtProject()}/bin`;
    const { code, stdout } = await runBench(
      out,
      ...["--quick", "--no-curves", "--modes=http-uds", "--only=ping 100", `--out=${out}`],
      `--subject=ours=${bin}/proxy-server|${bin}/proxy-agent`,
      "--against=broken=/bin/false x|/bin/false y",
    );
    assert.equal(code, 0);
    assert.match(stdout, /^\| ping 100 B \| p50, us \| [\d,.]+ \(it failed\) \|$/m);
    assert.match(stdout, /^- broken, http-uds, start: server does not answer \/healthz$/m);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

leakTest("options that are none are refused", async () => {
  for (
    const wrong of ["--fast", "--modes=tcp", "--agents=0", "--links=udp", "--rounds=0", "--against=x", "--mib=1.5"]
  ) {
    assert.throws(() => parseOptions([wrong]), wrong);
  }
  const { code, stderr } = await runBench("/tmp", "--fast");
  assert.equal(code, 1);
  assert.match(stderr, /^Error: unknown option --fast/);
});

function results(...names: string[]): Results {
  return new Results({
    machine: "m",
    versions: [],
    command: "c",
    implementations: names.map((name) => ({ name, server: "s", agent: "a" })),
    rounds: 2,
  });
}

Deno.test("a table shows the subject's medians, and what they are over the others'", () => {
  const all = results("ours", "theirs");
  for (const value of [10, 30]) all.add("ours", "http-uds", "work", [{ name: "rate", unit: "per s", value }]);
  all.add("theirs", "http-uds", "work", [{ name: "rate", unit: "per s", value: 40 }]);
  // A curve that failed is said, and is no column.
  all.failed.push({ implementation: "theirs", mode: "links direct", scenario: "100 agents", reason: "no such links" });
  assert.match(figuresTable(all), /^\| work \| rate, per s \| 20 \(0\.50 x\) \|$/m);
  assert.match(figuresTable(all), /^- theirs, links direct, 100 agents: no such links$/m);
});

Deno.test("many agents have a column for each number and kind of link, with the values of each implementation", () => {
  const all = results("ours", "theirs");
  const add = (name: string, mode: string, at: number, value: number) =>
    all.addCurve(name, mode, fleetCurve, [{ name: "time to link", unit: "s", value }], at);
  assert.equal(fleetTable(all), "");
  add("ours", "links direct", 1000, 2);
  add("ours", "links grpc", 1000, 3);
  add("theirs", "links grpc", 1000, 4.5);
  assert.deepEqual(fleetTable(all).split("\n"), [
    "| figure | links direct, 1k | links grpc, 1k |",
    "| --- | ---: | ---: |",
    "| time to link, s | 2 / - | 3 / 4.5 |",
  ]);
});

Deno.test("a machine that cannot have so many agents is told so, with what to change", () => {
  const machine = (files: number, ports: string) => (path: string) =>
    path.startsWith("/proc/sys")
      ? `${ports}\n`
      : `Max open files            1024                 ${files}               files\n`;
  assert.equal(fleetFault(10_000, machine(20_000, "32768\t60999")), undefined);
  assert.equal(
    fleetFault(10_000, machine(4_096, "32768\t60999")),
    "10000 agents need 11500 file descriptors in the server's process, and the limit is 4096: raise it with ulimit -Hn 11500",
  );
  assert.equal(
    fleetFault(1_000, machine(20_000, "60000\t60999")),
    "1000 agents on one address need 2000 ports, and the system gives 1000: widen net.ipv4.ip_local_port_range",
  );
  // Another system than Linux does not say, and is tried.
  assert.equal(
    fleetFault(10_000, () => {
      throw new Error("no such file");
    }),
    undefined,
  );
});

Deno.test("figures have the digits that are worth reading", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([1, 2]), 1.5);
  assert.deepEqual([0, 0.123, 1.26, 12.3, 123.4, 12345].map(readable), ["0", "0.12", "1.3", "12", "123", "12,345"]);
  assert.deepEqual([0.30000000000000004, 500, 10_000, 262_144].map(short), ["0.3", "500", "10k", "256Ki"]);
});

Deno.test("a plot has a line for each series, whatever its values and names are", () => {
  const svg = plotSvg({
    title: "a & b",
    xLabel: "x",
    yLabel: "y",
    series: [{ name: "<one>", points: [[1, 0], [10, 5]] }, { name: "two", points: [[1, 3]] }],
  });
  assertSvg(svg);
  assert.equal(svg.match(/<polyline /g)?.length, 2);
  assert.ok(svg.includes("&#60;one&#62;") && !svg.includes("<one>"));
  assertSvg(plotSvg({ title: "", xLabel: "", yLabel: "", series: [{ name: "zero", points: [[5, 0]] }] }));
});

Deno.test("a plot of many points along a linear axis has few numbers, and marks none of them", () => {
  const points = Array.from({ length: 120 }, (_, at) => [at + 1, at % 7] as const);
  const svg = plotSvg({ title: "", xAxis: "linear", xLabel: "minutes", yLabel: "", series: [{ name: "one", points }] });
  assertSvg(svg);
  assert.deepEqual([...svg.matchAll(/text-anchor="middle">(\d+)</g)].map(([, x]) => x), ["0", "50", "100", "150"]);
  assert.equal(svg.match(/<circle /g), null);
  const [, first, last] = /points="([\d.]+),.* ([\d.]+),[\d.]+"/.exec(svg) ?? [];
  assert.ok(Number(last) - Number(first) > 300, "minutes are as far from each other as they were");
});

Deno.test("what has one unit and one subject is in one plot", () => {
  const all = results("ours");
  for (const at of [1, 10]) {
    all.addCurve("ours", "grpc-uds", "agents", [
      { name: "ping p50", unit: "us", value: 1 },
      { name: "ping p99", unit: "us", value: 2 },
      { name: "throughput", unit: "MB/s", value: 3 },
    ], at);
  }
  const plots = curvePlots(all);
  assert.deepEqual([...plots.keys()], ["agents-ping.svg", "agents-throughput.svg"]);
  assert.deepEqual(plots.get("agents-ping.svg")?.series.map(({ name }) => name), [
    "grpc-uds ping p50",
    "grpc-uds ping p99",
  ]);
});
