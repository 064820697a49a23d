import assert from "node:assert/strict";
import type { Metric, WorkersRule } from "./metric.ts";
import { mergeMetrics, metricValue } from "./merged_metrics.ts";
import { MetricRegistry } from "./metric_registry.ts";

const sum: Metric = { name: "tunnels_total", type: "counter", help: "Tunnels.", labels: ["to"], origin: "ours" };
const delay: Metric = { name: "delay", type: "histogram", help: "Delay.", labels: [], buckets: [1, 2], origin: "ours" };
const ruled = (name: string, ofWorkers: WorkersRule): Metric => {
  return { name, type: "gauge", help: `${name}.`, labels: [], origin: "ours", ofWorkers };
};
const [agents, expiry, memory] = [ruled("agents", "max"), ruled("expiry", "min"), ruled("memory", "process")];
const declarations = [sum, delay, agents, expiry, memory];

interface Values {
  readonly tunnels?: Readonly<Record<string, number>>;
  readonly delays?: readonly number[];
  readonly agents?: number;
  readonly expiry?: number;
  readonly memory?: number;
}

function textOf(values: Values): Promise<string> {
  const registry = new MetricRegistry();
  registry.readCounter(sum, () => Object.entries(values.tunnels ?? {}).map(([to, count]) => [[to], count] as const));
  const histogram = registry.histogram(delay);
  for (const seconds of values.delays ?? []) histogram.observe(seconds);
  for (const metric of [agents, expiry, memory]) {
    const value = Reflect.get(values, metric.name);
    if (typeof value === "number") registry.gauge(metric, () => value);
  }
  return registry.text();
}

const merged = async (own: Values, ...workers: readonly Values[]) =>
  mergeMetrics(await textOf(own), await Promise.all(workers.map(textOf)), declarations);

Deno.test("series of workers are added up, whichever worker has them", async () => {
  const text = await merged(
    {},
    { tunnels: { 'a "b" {c} 1': 3, both: 1 }, delays: [0.5, 1.5] },
    { tunnels: { both: 2, "only two": 5 }, delays: [1.5, 9] },
  );
  assert.equal(
    text,
    [
      "# HELP tunnels_total Tunnels.",
      "# TYPE tunnels_total counter",
      'tunnels_total{to="a \\"b\\" {c} 1"} 3',
      'tunnels_total{to="both"} 3',
      'tunnels_total{to="only two"} 5',
      "# HELP delay Delay.",
      "# TYPE delay histogram",
      'delay_bucket{le="1"} 1',
      'delay_bucket{le="2"} 3',
      'delay_bucket{le="+Inf"} 4',
      "delay_sum 12.5",
      "delay_count 4",
      "",
    ].join("\n"),
  );
});

Deno.test("what workers see of the same things is not added up", async () => {
  const text = await merged(
    { memory: 100 },
    { agents: 3, expiry: 20, memory: 101 },
    { agents: 2, expiry: 10, memory: 102 },
  );
  assert.equal(metricValue(text, "agents"), 3);
  assert.equal(metricValue(text, "expiry"), 10);
  assert.equal(metricValue(text, "memory"), 100);
});

Deno.test("one worker's text, and nothing beside it, stays what it was", async () => {
  const values = { tunnels: { a: 1, b: 0.1 }, delays: [0.1, 0.2], agents: 1, expiry: 2, memory: 3 };
  assert.equal(mergeMetrics("", [await textOf(values)], declarations), await textOf(values));
  assert.equal(metricValue(await textOf(values), "no_such"), 0);
});
