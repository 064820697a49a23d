import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { listMember, memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { metricsTable } from "../../src/metrics/metrics_table.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet, launcherOf } from "../support/processes/processes.ts";
import { shellCommands } from "../support/processes/readme_commands.ts";
import { alertsOf, dashboardQueries, labelsIn, metricsIn, writtenAlerts } from "./alerts.ts";
import { examples, parseManifests } from "./manifests.ts";
import { toolTests } from "./tools.ts";

const rulesFile = `${examples}/kubernetes/monitoring/rules.yaml`;
const casesFile = fileURLToPath(new URL("monitoring/alerts.yaml", import.meta.url));
const runbookFile = new URL("../../docs/runbook.md", import.meta.url);

/** What Prometheus itself knows, and labels that it gives. */
const prometheusMetrics = ["up"];
const prometheusLabels = ["instance", "job", "namespace", "le"];

const promtoolTest = await toolTests("promtool");

promtoolTest(
  "promtool finds the alerts in order, as Prometheus reads them and as its operator does",
  async (promtool) => {
    const written = await writtenAlerts();
    const [operator] = parseManifests(
      await Deno.readTextFile(`${examples}/kubernetes/monitoring/prometheus-rule.yaml`),
    );
    const spec = memberOf(operator, "spec");
    assert.deepEqual(alertsOf(spec), written);
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-rules-" });
    try {
      await Deno.writeTextFile(`${folder}/rules.yaml`, JSON.stringify(spec));
      for (const file of [rulesFile, `${folder}/rules.yaml`]) {
        const { code, said } = await promtool("check", "rules", file);
        assert.equal(code, 0, said);
        assert.match(said, new RegExp(`SUCCESS: ${written.length} rules found`));
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

promtoolTest("each alert fires in the cases in which it should, with its texts, and in no other", async (promtool) => {
  const { code, said } = await promtool("test", "rules", casesFile);
  assert.equal(code, 0, said);
});

promtoolTest("the cases notice an alert that never fires, and one that always does", async (promtool) => {
  const rules = await Deno.readTextFile(rulesFile);
  const cases = await Deno.readTextFile(casesFile);
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-rules-" });
  try {
    await Deno.writeTextFile(`${folder}/cases.yaml`, cases.replace(/^ {2}- .*rules\.yaml$/m, "  - rules.yaml"));
    for (const expression of ["vector(1) > 2", "vector(1)"]) {
      const changed = rules.replaceAll(/(- alert: \w+\n)[^]*?( {8}for: )/g, `$1        expr: ${expression}\n$2`);
      await Deno.writeTextFile(`${folder}/rules.yaml`, changed);
      const { said } = await promtool("test", "rules", `${folder}/cases.yaml`);
      for (const { name } of await writtenAlerts()) {
        assert.match(said, new RegExp(`alertname: ${name},`), `${name} may be ${expression}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("each alert has a case in which it fires and one in which it is silent", async () => {
  const cases = listMember(parse(await Deno.readTextFile(casesFile)), "tests");
  const seen = new Map<string, Set<string>>();
  for (const each of cases) {
    const [kind = ""] = textMember(each, "name").split(":");
    assert.ok(kind === "fires" || kind === "silent", textMember(each, "name"));
    const tests = listMember(each, "alert_rule_test");
    assert.equal(tests.some((test) => listMember(test, "exp_alerts").length > 0), kind === "fires");
    for (const test of tests) {
      if (kind === "fires" && listMember(test, "exp_alerts").length === 0) continue;
      const name = textMember(test, "alertname");
      seen.set(name, (seen.get(name) ?? new Set()).add(kind));
    }
  }
  const names = (await writtenAlerts()).map(({ name }) => name);
  assert.deepEqual([...seen.keys()].sort(), [...names].sort());
  for (const [name, kinds] of seen) assert.deepEqual([...kinds].sort(), ["fires", "silent"], name);
});

Deno.test("each alert says how bad it is, what it is, and which chapter of the runbook tells what to do", async () => {
  const runbook = await Deno.readTextFile(runbookFile);
  const chapters = new Map(
    runbook.split(/^## /m).slice(1).map((chapter) => [/^\S+/.exec(chapter)?.[0] ?? "", chapter]),
  );
  const alerts = await writtenAlerts();
  assert.ok(alerts.length >= 10);
  assert.deepEqual([...chapters.keys()], alerts.map(({ name }) => name));
  for (const { name, severity, annotations } of alerts) {
    assert.match(name, /^Konnectivity[A-Z]\w+$/);
    assert.match(severity, /^(?:warning|critical)$/);
    assert.deepEqual(Object.keys(annotations), ["summary", "description", "runbook_url"], name);
    assert.match(String(annotations["runbook_url"]), new RegExp(`/docs/runbook\\.md#${name.toLowerCase()}$`));
    assert.match(String(annotations["description"]), /[.]$/);
    const chapter = chapters.get(name) ?? "";
    const parts = [...chapter.matchAll(/^\*\*(.+?)\*\*/gm)].map(([, title]) => title);
    assert.deepEqual(parts, ["What it means.", "How to see it.", "What to do."], name);
    assert.ok(shellCommands(chapter).length > 0, `${name} can be seen by no command`);
  }
});

Deno.test("what is read from an expression is its metrics and its labels", () => {
  const expression =
    'sum by (a, b) (rate(x_total{c="d{,}",e=~"y_z"}[5m])) / on (f) group_left () up > 3 and vector(1) or w unless on () v';
  assert.deepEqual(metricsIn(expression), ["x_total", "up", "w", "v"]);
  assert.deepEqual(labelsIn('sum by (a, b) (x{c="d",e=~"f"}) / on (g) y'), ["a", "b", "g", "c", "e"]);
});

/** A metric's name without what a histogram adds to it. */
function familyOf(name: string, families: ReadonlyMap<string, unknown>): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, "");
  return families.has(base) && !families.has(name) ? base : name;
}

Deno.test("rules and dashboard ask for metrics and labels that are declared, and of histograms for their parts", async () => {
  const declared = new Map(metricsTable().map((metric) => [metric.name, metric]));
  const alerts = await writtenAlerts();
  const queries = await dashboardQueries();
  assert.ok(queries.length > 40);
  const all = [
    ...alerts.map(({ name, expression, annotations }) => ({
      where: name,
      expression,
      shown: [...Object.values(annotations).join(" ").matchAll(/\$labels\.(\w+)/g)].map(([, label = ""]) => label),
    })),
    ...queries.map(({ panel, expression, legend }) => ({
      where: panel,
      expression,
      shown: [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
    })),
  ];
  for (const { where, expression, shown } of all) {
    const known = new Set(prometheusLabels);
    const metrics = metricsIn(expression);
    assert.ok(metrics.length > 0, where);
    for (const name of metrics.filter((each) => !prometheusMetrics.includes(each))) {
      const family = familyOf(name, declared);
      const metric = declared.get(family);
      assert.ok(metric !== undefined, `${where}: there is no metric ${name}`);
      assert.equal(metric.type === "histogram", family !== name, `${where}: ${name}`);
      for (const label of metric.labels) known.add(label);
    }
    for (const label of [...labelsIn(expression), ...shown]) {
      assert.ok(known.has(label), `${where}: ${expression} has no label ${label}`);
    }
  }
});

/** Has a pair carry a tunnel and fail a dial, under a memory limit, and scrapes both. */
async function withPair(use: (launched: Launched, shown: string) => Promise<void>): Promise<void> {
  const limited = ["env", `KONNECTIVITY_MEMORY_LIMIT=${512 << 20}`];
  await using echo = await echoDestination();
  await using launched = await Launched.start("grpc-tls", {
    serverCommand: [...limited, ...await launcherOf("server")],
    serverFlags: [`--probe-destination=${echo.address}`],
    agentCommand: [...limited, ...await launcherOf("agent")],
  });
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  await assert.rejects(client.dial("127.0.0.1:1"));
  await open.tunnel.close();
  const scrape = async () => {
    const pages = [launched.server.healthPort, launched.agent.healthPort].map((port) => httpGet(port, "/metrics"));
    return (await Promise.all(pages)).map(({ body }) => body).join("");
  };
  await until("the tunnel's end is counted", async () => /tunnels_closed_total\{/.test(await scrape()));
  const probed = /^konnectivity_network_proxy_server_probe_duration_seconds_count\{.*\} [1-9]/m;
  await until("a probe has succeeded", async () => probed.test(await scrape()));
  await use(launched, await scrape());
}

leakTest(
  "a running server and agent show each metric that rules and dashboard ask for, and series for the alerts",
  () =>
    withPair(async (_, shown) => {
      const families = new Map(
        [...shown.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]),
      );
      const series = new Set([...shown.matchAll(/^(\w+)(?:\{.*\})? \S+$/gm)].map(([, name]) => name));
      const queries = (await dashboardQueries()).map(({ panel, expression }) => [panel, expression, false] as const);
      const alerts = (await writtenAlerts()).map(({ name, expression }) => [name, expression, true] as const);
      for (const [where, expression, needsSeries] of [...queries, ...alerts]) {
        for (const name of metricsIn(expression).filter((each) => !prometheusMetrics.includes(each))) {
          assert.ok(families.has(familyOf(name, families)), `${where}: ${name} is not shown`);
          // Where an agent has failed is shown from its first failure on.
          if (needsSeries) assert.ok(series.has(name), `${where}: ${name} has no series`);
        }
      }
      for (const role of ["server", "agent"]) {
        const limit = new RegExp(`^konnectivity_network_proxy_${role}_memory_limit_bytes ${512 << 20}$`, "m");
        assert.match(shown, limit);
      }
      assert.match(shown, /^konnectivity_network_proxy_server_links_opened_total [1-9]/m);
    }),
);

leakTest("the runbook's questions to a server are answered", () =>
  withPair(async ({ server }) => {
    const commands = shellCommands(await Deno.readTextFile(runbookFile)).filter((each) => each.startsWith("curl "));
    assert.ok(commands.length > 10);
    const ports: Readonly<Record<string, number>> = { 8092: server.healthPort, 8095: server.adminPort };
    for (const command of new Set(commands)) {
      const here = command.replace(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${ports[port]}`);
      const { code, stdout } = await new Deno.Command("bash", { args: ["-o", "pipefail", "-c", here] }).output();
      assert.equal(code, 0, command);
      assert.notEqual(new TextDecoder().decode(stdout).trim(), "", command);
    }
  }));
