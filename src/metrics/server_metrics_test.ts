import assert from "node:assert/strict";
import {
  agent,
  agentTables,
  parse,
  recorded,
  server,
  serverTables,
} from "../../tests/support/memory/metrics_tables.ts";
import { PacketType } from "../wire/packet.ts";
import { createAgentMetrics } from "./agent_metrics.ts";
import { createServerMetrics } from "./server_metrics.ts";

Deno.test("[server 11] what the original exported after two dials, this exports too: names, types, help, labels, buckets", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  const { packets } = tables;
  for (const segment of ["from_client", "to_agent"] as const) {
    packets[segment].packet(PacketType.DIAL_REQ);
    packets[segment].packet(PacketType.CLOSE_REQ);
    packets[segment].data();
  }
  for (const segment of ["to_client", "from_agent"] as const) {
    packets[segment].packet(PacketType.DIAL_RSP);
    packets[segment].packet(PacketType.CLOSE_RSP);
    packets[segment].data();
  }
  metrics.events.streamFailed("from_client", "Canceled", "Unknown");
  const text = await metrics.text();
  const lines = await recorded("original_server_metrics.txt");
  assert.ok(lines.length > 80);
  for (const line of lines) assert.ok(text.includes(`\n${line}`) || text.startsWith(line), line);
});

Deno.test("[server 11] the series that the original shows from its start are there with 0", async () => {
  const metrics = createServerMetrics(serverTables, { strategies: ["destHost", "default"], version: "1" });
  const values = parse(await metrics.text());
  for (
    const name of [
      "http_connections",
      "culled_leases_count",
      "ready_backend_connections",
      'ready_backends{proxy_strategy="destHost"}',
      'ready_backends{proxy_strategy="default"}',
    ]
  ) assert.equal(values.get(server + name), 0, name);
  assert.equal(values.get(`${server}ready_backends{proxy_strategy="defaultRoute"}`), undefined);
  assert.equal(
    parse(await createAgentMetrics(agentTables, { version: "1" }).text()).get(`${agent}known_server_count`),
    0,
  );
});

Deno.test("[server 13.5-19] [server W33] gauges are read from the tables at each scrape and cannot go stale", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  Object.assign(tables, {
    proxyCalls: 1,
    connectCalls: 2,
    connectRequests: 3,
    pendingDials: 4,
    establishedTunnels: 5,
    heldClientStreams: 6,
    heldAgentStreams: 7,
    queuedBytes: 8,
    readyBackends: () => 9,
  });
  let values = parse(await metrics.text());
  const now = (name: string) => values.get(server + name);
  assert.equal(now('grpc_connections{service_method="Proxy"}'), 1);
  assert.equal(now('grpc_connections{service_method="Connect"}'), 2);
  assert.equal(now("http_connections"), 3);
  assert.equal(now("pending_backend_dials"), 4);
  assert.equal(now("established_connections"), 5);
  assert.equal(now('full_receive_channels{service_method="Proxy"}'), 6);
  assert.equal(now('full_receive_channels{service_method="Connect"}'), 7);
  assert.equal(now("queued_bytes"), 8);
  assert.equal(now('ready_backends{proxy_strategy="default"}'), 9);
  Object.assign(tables, serverTables());
  values = parse(await metrics.text());
  assert.equal(now("established_connections"), 0);
  assert.equal(now("pending_backend_dials"), 0);
});

Deno.test("[server 13.5-20] [server W33] every tunnel that ends is observed, with its duration, its reason and who began", async () => {
  const metrics = createServerMetrics(serverTables, { strategies: ["default"], version: "1" });
  metrics.events.tunnelClosed(0.5, "closed", "client");
  metrics.events.tunnelClosed(20, "link_lost", "agent");
  metrics.events.tunnelClosed(100_000, "closed", "client");
  const values = parse(await metrics.text());
  const duration = `${server}connection_duration_seconds`;
  assert.equal(values.get(`${duration}_count`), 3);
  assert.equal(values.get(`${duration}_sum`), 100_020.5);
  assert.equal(values.get(`${duration}_bucket{le="1"}`), 1);
  assert.equal(values.get(`${duration}_bucket{le="30"}`), 2);
  assert.equal(values.get(`${duration}_bucket{le="86400"}`), 2);
  assert.equal(values.get(`${duration}_bucket{le="+Inf"}`), 3);
  assert.equal(values.get(`${server}tunnels_closed_total{initiator="client",reason="closed"}`), 2);
  assert.equal(values.get(`${server}tunnels_closed_total{initiator="agent",reason="link_lost"}`), 1);
});

Deno.test("probes have a series for each destination from the start, their last outcome, and their failures by reason", async () => {
  const tables = serverTables();
  const of = (destination: string, success: boolean | undefined) => {
    const reachable = success ?? false;
    return { destination, success, reachable, failures: 0, lastSuccess: undefined, lastFailure: undefined };
  };
  tables.probeReports = () => [of("a:1", undefined), of("b:1", true)];
  const probeDestinations = ["a:1", "b:1"];
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1", probeDestinations });
  let values = parse(await metrics.text());
  const now = (name: string) => values.get(server + name);
  assert.deepEqual([now('probe_success{destination="a:1"}'), now('probe_success{destination="b:1"}')], [0, 1]);
  for (const reason of ["no_agent", "error_response", "backend_close", "backend_dial_timeout", "timeout"]) {
    assert.equal(now(`probe_failures_total{destination="a:1",reason="${reason}"}`), 0, reason);
  }
  metrics.probeEvents.probeFailed("a:1", "timeout");
  metrics.probeEvents.probeSucceeded("b:1", 0.02);
  tables.probeReports = () => [of("b:1", false)];
  values = parse(await metrics.text());
  assert.equal(now('probe_failures_total{destination="a:1",reason="timeout"}'), 1);
  assert.equal(now('probe_duration_seconds_bucket{destination="b:1",le="0.01"}'), 0);
  assert.equal(now('probe_duration_seconds_bucket{destination="b:1",le="0.025"}'), 1);
  assert.equal(now('probe_duration_seconds_count{destination="b:1"}'), 1);
  assert.equal(now('probe_success{destination="b:1"}'), 0);
});

Deno.test("[server W13] packet types that a peer invents share one series", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  for (let type = 1_000; type < 2_000; type++) tables.packets.from_agent.packet(type);
  tables.packets.from_agent.packet(-3);
  const packets = [...parse(await metrics.text())].filter(([name]) => name.includes("stream_packets_total"));
  assert.deepEqual(packets, [[`${server}stream_packets_total{packet_type="Unknown",segment="from_agent"}`, 1_001]]);
});

Deno.test("dial failures are counted by reason, and agents that are connected twice once", async () => {
  const tables = serverTables();
  tables.backends = () => [
    { agentId: "a", tunnels: 1, draining: false },
    { agentId: 'b"\n', tunnels: 2, draining: true },
    { agentId: "a", tunnels: 4, draining: true },
  ];
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  metrics.events.dialFailed("no_agent");
  metrics.events.dialFailed("frontend_close");
  metrics.events.dialFailed("frontend_close");
  const values = parse(await metrics.text());
  assert.equal(values.get(`${server}dial_failure_count{reason="no_agent"}`), 1);
  assert.equal(values.get(`${server}dial_failure_count{reason="frontend_close"}`), 2);
  assert.equal(values.get(`${server}dial_failure_count{reason="send_rsp"}`), 0);
  assert.equal(values.get(`${server}draining_backends`), 2);
  assert.equal(values.get(`${server}backend_tunnels{agent_id="a"}`), 5);
  assert.equal(values.get(`${server}backend_tunnels{agent_id="b\\"\\n"}`), 2);
});

Deno.test("with more agents than --per-agent-metrics there is no series for any of them, and all else is there", async () => {
  const tables = serverTables();
  const agents = (count: number) => () =>
    Array.from({ length: count }, (_, at) => ({ agentId: `agent-${at % 4}`, tunnels: 1, draining: false }));
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1", perAgent: 3 });
  const byAgent = async () => {
    const values = parse(await metrics.text());
    assert.equal(values.get(`${server}draining_backends`), 0);
    return [...values.keys()].filter((name) => name.startsWith(`${server}backend_tunnels`)).length;
  };
  tables.backends = agents(3);
  assert.equal(await byAgent(), 3);
  tables.backends = agents(5);
  assert.equal(await byAgent(), 0);
});

Deno.test("[server W35] ready_backend_connections is the count of the last strategy that has an agent, and 0 only without one", async () => {
  const tables = serverTables();
  const counts = { default: 0, destHost: 0, defaultRoute: 0 };
  tables.readyBackends = (name) => counts[name];
  // An agent that fits no strategy is connected; alerts rest on it being none.
  tables.backends = () => [{ agentId: "a", tunnels: 0, draining: false }];
  const count = async (...strategies: (keyof typeof counts)[]) => {
    const text = await createServerMetrics(() => tables, { strategies, version: "1" }).text();
    return parse(text).get(`${server}ready_backend_connections`);
  };
  assert.equal(await count("destHost"), 0);
  counts.destHost = 3;
  assert.equal(await count("destHost"), 3);
  assert.equal(await count("destHost", "default"), 3);
  counts.default = 2;
  assert.equal(await count("destHost", "default"), 2);
  assert.equal(await count("default", "destHost", "defaultRoute"), 3);
});

Deno.test("a server whose clients speak HTTP CONNECT shows nothing of the service that nobody can call", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1", grpcClients: false });
  const text = await metrics.text();
  assert.match(text, /grpc_connections\{service_method="Connect"\} 0\n/);
  assert.match(text, /full_receive_channels\{service_method="Connect"\} 0\n/);
  assert.doesNotMatch(text, /service_method="Proxy"/);
});

Deno.test("counters are exact at every scrape, however often one scrapes", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  tables.packets.from_agent.data();
  tables.packets.from_agent.bytes(1_000);
  const data = `${server}stream_packets_total{packet_type="DATA",segment="from_agent"}`;
  const bytes = `${server}stream_data_bytes_total{segment="from_agent"}`;
  for (let scrape = 0; scrape < 3; scrape++) {
    const values = parse(await metrics.text());
    assert.equal(values.get(data), 1);
    assert.equal(values.get(bytes), 1_000);
  }
  tables.packets.from_agent.data();
  tables.packets.from_agent.bytes(24);
  const values = parse(await metrics.text());
  assert.equal(values.get(data), 2);
  assert.equal(values.get(bytes), 1_024);
});

Deno.test("[server 11] the server's lease metrics have the original's names, labels and help", async () => {
  const metrics = createServerMetrics(serverTables, { strategies: ["default"], version: "1" });
  metrics.leaseEvents.leasesListed(200, "", 0.2);
  metrics.leaseEvents.leaseDeleted(404, "NotFound", 0.02);
  metrics.leaseEvents.leaseCulled();
  const text = await metrics.text();
  const values = parse(text);
  assert.equal(values.get(`${server}culled_leases_count`), 1);
  assert.equal(values.get(`${server}lease_list_total{http_status_code="200",reason=""}`), 1);
  assert.equal(values.get(`${server}lease_delete_total{http_status_code="404",reason="NotFound"}`), 1);
  assert.equal(values.get(`${server}lease_delete_latency_seconds_bucket{http_status_code="404",le="0.025"}`), 1);
  assert.equal(values.get(`${server}lease_list_latency_seconds_count{http_status_code="200"}`), 1);
  for (
    const line of [
      `# HELP ${server}lease_delete_latency_seconds Latency of lease deletion calls by the garbage collection controller in seconds.`,
      `# HELP ${server}lease_delete_total Count of lease delection calls by the garbage collection controller. Labeled by HTTP status code and reason.`,
      `# HELP ${server}lease_list_latency_seconds Latency of lease list calls by the garbage collection controller in seconds.`,
      `# HELP ${server}lease_list_total Count of lease deletion calls by the garbage collection controller. Labeled by HTTP status code and reason.`,
      `# HELP ${server}full_receive_channels Number of current connections blocked by a full receive channel, partitioned by service method.`,
    ]
  ) assert.ok(text.includes(`${line}\n`), line);
});

Deno.test("links of agents are counted, and reviews of their tokens with what throttles them, each from 0", async () => {
  const tables = serverTables();
  const metrics = createServerMetrics(() => tables, { strategies: ["default"], version: "1" });
  let values = parse(await metrics.text());
  for (const outcome of ["accepted", "refused", "failed"]) {
    assert.equal(values.get(`${server}token_reviews_total{outcome="${outcome}"}`), 0);
  }
  for (const reason of ["rate", "api", "too_many"]) {
    assert.equal(values.get(`${server}token_reviews_throttled_total{reason="${reason}"}`), 0);
  }
  tables.linksOpened = 3;
  metrics.tokenEvents.reviewed("accepted");
  metrics.tokenEvents.throttled("rate");
  values = parse(await metrics.text());
  assert.equal(values.get(`${server}links_opened_total`), 3);
  assert.equal(values.get(`${server}token_reviews_total{outcome="accepted"}`), 1);
  assert.equal(values.get(`${server}token_reviews_throttled_total{reason="rate"}`), 1);
});
