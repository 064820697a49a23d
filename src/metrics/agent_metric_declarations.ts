import { type Metric, metricNamespace } from "./metric.ts";
import { streamMetricDeclarations } from "./stream_metrics.ts";

const prefix = `${metricNamespace}_agent`;

/** Seconds, as the original's agent has them. */
const latencyBuckets: readonly number[] = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];

/** One second to one day. */
const durationBuckets: readonly number[] = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 14400, 43200, 86400];

/** The agent's metrics about its traffic. */
export const agentMetricDeclarations = {
  ...streamMetricDeclarations("agent"),
  dialDuration: {
    name: `${prefix}_dial_duration_seconds`,
    type: "histogram",
    help: "Latency of dial to the remote endpoint in seconds",
    labels: [],
    buckets: latencyBuckets,
    origin: "original",
  },
  serverConnectionFailures: {
    name: `${prefix}_server_connection_failure_count`,
    type: "counter",
    help:
      "Count of failures to send to or receive from the proxy server, labeled by the direction (from_server or to_server). DEPRECATED, please use stream_events_error_total",
    labels: ["direction"],
    origin: "original",
  },
  endpointDialFailures: {
    name: `${prefix}_endpoint_dial_failure_total`,
    type: "counter",
    help: "Number of failures dialing the remote endpoint, by reason (example: timeout).",
    labels: ["reason"],
    origin: "original",
  },
  openServerConnections: {
    name: `${prefix}_open_server_connections`,
    type: "gauge",
    help: "Current number of open server connections.",
    labels: [],
    origin: "original",
  },
  knownServerCount: {
    name: `${prefix}_known_server_count`,
    type: "gauge",
    help: "Current number of servers agent is trying to connect to.",
    labels: [],
    origin: "original",
  },
  openEndpointConnections: {
    name: `${prefix}_open_endpoint_connections`,
    type: "gauge",
    help: "Current number of open endpoint connections.",
    labels: [],
    origin: "original",
  },
  leaseLists: {
    name: `${prefix}_lease_lists_total`,
    type: "counter",
    help:
      "Count of server lease list calls made by the agent to the k8s apiserver, labeled by HTTP response code and reason",
    labels: ["http_response_code", "reason"],
    origin: "original",
  },
  leaseWatches: {
    name: `${prefix}_lease_watches_total`,
    type: "counter",
    help:
      "Count of server lease watch calls made by the agent to the k8s apiserver, labeled by HTTP response code and reason",
    labels: ["http_response_code", "reason"],
    origin: "original",
  },
  leaseListLatency: {
    name: `${prefix}_lease_list_latency_seconds`,
    type: "histogram",
    help: "Latency of server lease listing in seconds",
    labels: ["http_response_code"],
    buckets: latencyBuckets,
    origin: "original",
  },
  endpointDuration: {
    name: `${prefix}_endpoint_connection_duration_seconds`,
    type: "histogram",
    help: "Duration in seconds a connection to a destination was open.",
    labels: [],
    buckets: durationBuckets,
    origin: "ours",
  },
  closedEndpoints: {
    name: `${prefix}_endpoint_connections_closed_total`,
    type: "counter",
    help: "Count of connections to destinations that ended, by who began the end and why.",
    labels: ["initiator", "reason"],
    origin: "ours",
  },
  pendingEndpointDials: {
    name: `${prefix}_pending_endpoint_dials`,
    type: "gauge",
    help: "Current number of dials to destinations that have no answer yet.",
    labels: [],
    origin: "ours",
  },
  serverTunnels: {
    name: `${prefix}_server_tunnels`,
    type: "gauge",
    help: "Number of established tunnels of each connected server.",
    labels: ["server_id"],
    origin: "ours",
  },
  queuedBytes: {
    name: `${prefix}_queued_bytes`,
    type: "gauge",
    help: "Bytes held for peers that have not taken them yet.",
    labels: [],
    origin: "ours",
  },
} as const satisfies Record<string, Metric>;
