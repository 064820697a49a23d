import assert from "node:assert/strict";
import { MetricRegistry, type Series } from "./metric_registry.ts";

const many = { name: "many", type: "gauge", help: "a\\b\nc", labels: ["id"], origin: "ours" } as const;

Deno.test("the event loop has its turns while a series for each of many agents is written", async () => {
  const registry = new MetricRegistry();
  registry.gauge(many, () => Array.from({ length: 200_000 }, (_, at): Series => [[String(at)], at]));
  let turns = 0;
  let written = false;
  const count = () => {
    turns++;
    if (!written) setTimeout(count, 0);
  };
  setTimeout(count, 0);
  const text = await registry.text();
  written = true;
  assert.equal(text.split("\n").length, 200_000 + 3);
  assert.ok(turns >= 3, `${turns} turns`);
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("what would end a line or a value early is escaped, and numbers are Prometheus' own", async () => {
  const registry = new MetricRegistry();
  registry.gauge(many, () => [[['q"\\\n'], Infinity], [["b"], -Infinity], [["c"], NaN], [["d"], 1e21], [["e"], -0.5]]);
  assert.equal(
    await registry.text(),
    "# HELP many a\\\\b\\nc\n# TYPE many gauge\n" +
      'many{id="q\\"\\\\\\n"} +Inf\nmany{id="b"} -Inf\nmany{id="c"} NaN\nmany{id="d"} 1e+21\nmany{id="e"} -0.5\n',
  );
});

Deno.test("a metric is declared once, and a labelled histogram has its comments before its first series", async () => {
  const registry = new MetricRegistry();
  const metric = {
    name: "took",
    type: "histogram",
    help: "h",
    labels: ["code"],
    buckets: [0.1, 1],
    origin: "ours",
  } as const;
  const observe = registry.labelledHistogram(metric);
  assert.throws(() => registry.histogram(metric), /metric took is there already/);
  assert.equal(await registry.text(), "# HELP took h\n# TYPE took histogram\n");
  observe(0.5, "200");
  observe(2, "200");
  const comments = "# HELP took h\n# TYPE took histogram\n";
  const buckets =
    'took_bucket{code="200",le="0.1"} 0\ntook_bucket{code="200",le="1"} 1\ntook_bucket{code="200",le="+Inf"} 2\n';
  assert.equal(await registry.text(), `${comments}${buckets}took_sum{code="200"} 2.5\ntook_count{code="200"} 2\n`);
});
