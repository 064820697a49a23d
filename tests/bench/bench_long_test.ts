import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { assertSvg, runBench } from "./bench_process.ts";
import type { Results } from "./results.ts";

leakTest("the benchmarks measure everything that they promise, and leave report, plots and no process", async () => {
  const out = await Deno.makeTempDir({ prefix: "konnectivity-bench-test-" });
  try {
    const { code, stdout, stderr } = await runBench(
      out,
      "--quick",
      "--modes=grpc-uds,http-mtls",
      "--churn=2",
      `--out=${out}`,
    );
    assert.equal(code, 0, stderr);
    const works = [
      "download x1",
      "download x16",
      "upload x1",
      "upload x16",
      "ping 100 B",
      "ping under 8 downloads",
      "ping beside a stalled download",
      "dial x1",
      "dial x32",
      "idle tunnel",
      "empty",
    ];
    for (const work of works) assert.match(stdout, new RegExp(`^\\| ${work} `, "m"));
    assert.match(stdout, /^\| figure \| links direct, 1 \| links grpc, 1 \| links direct, 5 \| links grpc, 5 \|$/m);
    const ofFleets = [
      "time to link, s",
      "server CPU of a link, ms each",
      "server CPU idle, % of a core",
      "server memory of an agent, KiB",
      "held by metrics, ms",
      "held by status, ms",
      "time to be back, s",
      "ping p99 in a storm, ms",
      "dial rate in a storm, per s",
      "log lines of a storm, lines",
    ];
    for (const figure of ofFleets) {
      assert.match(stdout, new RegExp(`^\\| ${figure} (?:\\| -?[\\d,.]+ ){4}\\|$`, "m"), figure);
    }
    const text = await Deno.readTextFile(`${out}/BENCHMARKS.md`);
    assert.match(text, /^## Many agents on one server$/m);
    assert.match(text, /^- machine: \d+ cores/m);
    assert.match(text, /^Written by\s+`deno task bench --quick/m);
    const pictures = [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path = ""]) => path);
    for (const curve of ["tunnels", "write-size", "agents", "distance", "churn", "linked-agents"]) {
      assert.ok(pictures.some((path) => path.startsWith(`docs/bench/${curve}-`)), pictures.join());
    }
    for (const path of pictures) assertSvg(await Deno.readTextFile(`${out}/${path}`));
    const results: Results = JSON.parse(await Deno.readTextFile(`${out}/docs/bench/results.json`));
    assert.ok(results.curves.every(({ value }) => Number.isFinite(value)), "figures of curves are numbers");
    for (const { scenario, figure, values } of results.measured) {
      assert.ok(values.every((value) => Number.isFinite(value)), `${scenario} ${figure}`);
    }
    const rates = results.measured.filter(({ unit }) => unit === "MB/s" || unit === "per s");
    for (const { scenario, values } of rates) assert.ok(values.every((value) => value > 0), scenario);
    assert.deepEqual(results.failed, []);
    assert.deepEqual(await processesWith(out), []);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
