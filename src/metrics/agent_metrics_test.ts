import assert from "node:assert/strict";
import { agent, agentTables, parse, recorded } from "../../tests/support/memory/metrics_tables.ts";
import { PacketType } from "../wire/packet.ts";
import { createAgentMetrics } from "./agent_metrics.ts";

Deno.test("[agent 7] what the original exported after two dials, this exports too: names, types, help, labels, buckets", async () => {
  const tables = agentTables();
  const metrics = createAgentMetrics(() => tables, { version: "1" });
  const { from_agent, to_agent } = tables.packets;
  to_agent.packet(PacketType.DIAL_REQ);
  to_agent.packet(PacketType.CLOSE_REQ);
  to_agent.data();
  from_agent.packet(PacketType.DIAL_RSP);
  from_agent.packet(PacketType.CLOSE_RSP);
  from_agent.data();
  const text = await metrics.text();
  const lines = await recorded("original_agent_metrics.txt");
  assert.ok(lines.length > 30);
  for (const line of lines) assert.ok(text.includes(`\n${line}`) || text.startsWith(line), line);
});

Deno.test("[agent 7] the agent's events and tables are all shown", async () => {
  const tables = agentTables();
  Object.assign(tables, {
    serverConnections: 1,
    knownServerCount: 3,
    endpointConnections: 4,
    pendingDials: 5,
    queuedBytes: 6,
    servers: () => [{ serverId: "s1", tunnels: 3 }, { serverId: "s2", tunnels: 1 }],
  });
  const metrics = createAgentMetrics(() => tables, { version: "1" });
  metrics.events.endpointDialed(0.05);
  metrics.events.endpointDialFailed("timeout");
  metrics.events.endpointClosed(2, "reset", "destination");
  metrics.events.streamFailed("to_agent", "Unavailable", "Unknown");
  metrics.events.streamFailed("from_agent", "Canceled", "DATA");
  const values = parse(await metrics.text());
  const expected: Readonly<Record<string, number>> = {
    'dial_duration_seconds_bucket{le="0.025"}': 0,
    'dial_duration_seconds_bucket{le="0.1"}': 1,
    'endpoint_dial_failure_total{reason="timeout"}': 1,
    'endpoint_dial_failure_total{reason="unknown"}': 0,
    'endpoint_connections_closed_total{initiator="destination",reason="reset"}': 1,
    endpoint_connection_duration_seconds_count: 1,
    'stream_errors_total{code="Unavailable",packet_type="Unknown",segment="to_agent"}': 1,
    'stream_errors_total{code="Canceled",packet_type="DATA",segment="from_agent"}': 1,
    'server_connection_failure_count{direction="from_server"}': 1,
    'server_connection_failure_count{direction="to_server"}': 1,
    open_server_connections: 1,
    known_server_count: 3,
    open_endpoint_connections: 4,
    pending_endpoint_dials: 5,
    queued_bytes: 6,
    'server_tunnels{server_id="s1"}': 3,
    'server_tunnels{server_id="s2"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(values.get(agent + name), value, name);
});

Deno.test("[agent weak 31] lists and watches of leases have a counter each, and a call without an answer is no 200", async () => {
  const metrics = createAgentMetrics(agentTables, { version: "1" });
  metrics.leaseEvents.leasesListed(200, "", 0.2);
  metrics.leaseEvents.leasesListed(403, "Forbidden", 0.01);
  metrics.leaseEvents.leasesListed(undefined, "", 3);
  metrics.leaseEvents.leasesWatched(200, "");
  const text = await metrics.text();
  const values = parse(text);
  assert.equal(values.get(`${agent}lease_lists_total{http_response_code="200",reason=""}`), 1);
  assert.equal(values.get(`${agent}lease_lists_total{http_response_code="403",reason="Forbidden"}`), 1);
  assert.equal(values.get(`${agent}lease_lists_total{http_response_code="<error>",reason=""}`), 1);
  assert.equal(values.get(`${agent}lease_watches_total{http_response_code="200",reason=""}`), 1);
  const latency = `${agent}lease_list_latency_seconds`;
  assert.equal(values.get(`${latency}_bucket{http_response_code="200",le="0.1"}`), 0);
  assert.equal(values.get(`${latency}_bucket{http_response_code="200",le="0.5"}`), 1);
  assert.equal(values.get(`${latency}_count{http_response_code="200"}`), 1);
  for (
    const line of [
      `# HELP ${agent}lease_lists_total Count of server lease list calls made by the agent to the k8s apiserver, labeled by HTTP response code and reason`,
      `# HELP ${agent}lease_watches_total Count of server lease watch calls made by the agent to the k8s apiserver, labeled by HTTP response code and reason`,
      `# HELP ${latency} Latency of server lease listing in seconds`,
      `# TYPE ${latency} histogram`,
    ]
  ) assert.ok(text.includes(`${line}\n`), line);
});
