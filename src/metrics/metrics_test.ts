import assert from "node:assert/strict";
import { agent, agentTables, client, parse, server, serverTables } from "../../tests/support/memory/metrics_tables.ts";
import type { ClientGauges } from "../client/client_events.ts";
import { PacketType } from "../wire/packet.ts";
import { PacketCounts } from "../wire/packet_counts.ts";
import { createAgentMetrics } from "./agent_metrics.ts";
import { createClientMetrics } from "./client_metrics.ts";
import { metricsTable } from "./metrics_table.ts";
import { createServerMetrics } from "./server_metrics.ts";
import { WorkerMetrics } from "./worker_metrics.ts";

Deno.test("[client 1.6] the client library's metrics have the original's names and help", async () => {
  const gauges: ClientGauges = {
    dialing: 2,
    open: 3,
    packets: { from_client: new PacketCounts(), to_client: new PacketCounts() },
  };
  gauges.packets.from_client.packet(PacketType.DIAL_REQ);
  const metrics = createClientMetrics(() => [gauges, gauges]);
  metrics.events.dialFailed("endpoint");
  metrics.events.streamFailed("to_client", "Unavailable", "Unknown");
  const text = await metrics.text();
  for (
    const line of [
      `# HELP ${client}stream_packets_total Count of packets processed, by segment and packet type (example: from_client, DIAL_REQ)`,
      `# HELP ${client}stream_errors_total Count of gRPC stream errors, by segment, grpc Code, packet type. (example: from_agent, Code.Unavailable, DIAL_RSP)`,
      `# HELP ${client}dial_failure_total Number of dial failures observed, by reason (example: remote endpoint error)`,
      `# HELP ${client}client_connections Number of open client connections, by status (Example: dialing)`,
      `# TYPE ${client}client_connections gauge`,
      `# TYPE ${client}dial_failure_total counter`,
    ]
  ) assert.ok(text.includes(`${line}\n`), line);
  const values = parse(text);
  assert.equal(values.get(`${client}client_connections{status="dialing"}`), 4);
  assert.equal(values.get(`${client}client_connections{status="ok"}`), 6);
  assert.equal(values.get(`${client}dial_failure_total{reason="endpoint"}`), 1);
  assert.equal(values.get(`${client}stream_packets_total{packet_type="DIAL_REQ",segment="from_client"}`), 2);
  const error = `${client}stream_errors_total{code="Unavailable",packet_type="Unknown",segment="to_client"}`;
  assert.equal(values.get(error), 1);
});

Deno.test("a program tells of its memory, its processor time, its start and its versions", async () => {
  const metrics = createAgentMetrics(agentTables, { version: "1.2.3" });
  const values = parse(await metrics.text());
  const rss = values.get("process_resident_memory_bytes") ?? 0;
  assert.ok(rss > 10 << 20 && rss < 10 * 2 ** 30, `${rss}`);
  assert.ok((values.get("process_cpu_seconds_total") ?? 0) > 0);
  const start = values.get("process_start_time_seconds") ?? 0;
  assert.ok(start > 1.7e9 && start <= Date.now() / 1000);
  assert.ok((values.get(`${agent}memory_bytes{kind="heap_used"}`) ?? 0) > 1 << 20);
  const { deno, v8 } = Deno.version;
  assert.equal(values.get(`${agent}build_info{deno="${deno}",v8="${v8}",version="1.2.3"}`), 1);
});

Deno.test("the limits of the process are shown where they are known, and have no series where they are not", async () => {
  const known = {
    descriptors: { open: 20, limit: 1024 },
    virtualMemory: () => ({ size: 5, limit: 6 }),
    memoryLimit: 64 << 20,
  };
  const values = parse(await createAgentMetrics(agentTables, { version: "1", process: known }).text());
  assert.equal(values.get(`${agent}memory_limit_bytes`), 64 << 20);
  assert.equal(values.get("process_open_fds"), 20);
  assert.equal(values.get("process_max_fds"), 1024);
  const unknown = {
    descriptors: { open: 20, limit: undefined },
    virtualMemory: () => undefined,
    memoryLimit: undefined,
  };
  const text = await createServerMetrics(serverTables, { strategies: ["default"], version: "1", process: unknown })
    .text();
  const without = parse(text);
  assert.equal(without.get(`${server}memory_limit_bytes`), undefined);
  assert.equal(without.get("process_max_fds"), undefined);
});

Deno.test("a certificate's end is asked for at each scrape, so that a new one shows by itself", async () => {
  const metrics = createServerMetrics(serverTables, { strategies: ["default"], version: "1" });
  let end: number | undefined = 1_900_000_000;
  metrics.certificateExpiry("cluster", () => end);
  metrics.certificateExpiry("frontend", () => undefined);
  const gauge = `${server}certificate_expiration_timestamp_seconds`;
  assert.equal(parse(await metrics.text()).get(`${gauge}{certificate="cluster"}`), 1_900_000_000);
  end = 2_000_000_000;
  const values = parse(await metrics.text());
  assert.equal(values.get(`${gauge}{certificate="cluster"}`), 2_000_000_000);
  assert.equal(values.get(`${gauge}{certificate="frontend"}`), undefined);
});

Deno.test("the table of metrics is what the programs export", async () => {
  const worker = createServerMetrics(serverTables, { strategies: ["default"], version: "1" });
  // With workers a server exports all that it exports without them, and more.
  using workers = new WorkerMetrics(() => [worker.text()], "1");
  const texts = {
    server: await workers.text(),
    agent: await createAgentMetrics(agentTables, { version: "1" }).text(),
    client: await createClientMetrics(() => []).text(),
  };
  for (const [program, text] of Object.entries(texts)) {
    const exported = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`).sort();
    const rows = metricsTable().filter((row) => row.program === program);
    assert.deepEqual(exported, rows.map(({ name, type }) => `${name} ${type}`).sort());
    for (const { labels, help, name } of rows) {
      assert.deepEqual(labels, [...labels].sort(), name);
      assert.ok(help !== "" && !help.includes("\n"), name);
    }
  }
  const originals = metricsTable().filter(({ origin, name }) => origin === "original" && name.startsWith("konn"));
  assert.equal(originals.length, 18 + 11 + 4);
});

Deno.test("a scrape needs no permission", { permissions: "none" }, async () => {
  const metrics = createServerMetrics(serverTables, { strategies: ["default"], version: "1" });
  assert.ok((parse(await metrics.text()).get("process_resident_memory_bytes") ?? 0) > 0);
  assert.equal(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
});
