import { defaultBuckets, type Metric, metricNamespace } from "./metric.ts";
import { streamMetricDeclarations } from "./stream_metrics.ts";

const prefix = `${metricNamespace}_server`;

/** Seconds, as the original's server has them. */
const latencyBuckets: readonly number[] = [0.000001, 0.00001, 0.0001, 0.005, 0.025, 0.1, 0.5, 2.5, 12.5];

/** One second to one day. */
const durationBuckets: readonly number[] = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 14400, 43200, 86400];

/** The server's metrics about its traffic. */
export const serverMetricDeclarations = {
  ...streamMetricDeclarations("server"),
  dialDuration: {
    name: `${prefix}_dial_duration_seconds`,
    type: "histogram",
    help: "Latency of dial to the remote endpoint in seconds",
    labels: [],
    buckets: latencyBuckets,
    origin: "original",
  },
  frontendWriteDuration: {
    name: `${prefix}_frontend_write_duration_seconds`,
    type: "histogram",
    help: "Latency of write to the frontend in seconds",
    labels: [],
    buckets: latencyBuckets,
    origin: "original",
  },
  connectionDuration: {
    name: `${prefix}_connection_duration_seconds`,
    type: "histogram",
    help: "Duration in seconds a proxied end-to-end connection was established (post-dial) before being closed.",
    labels: [],
    buckets: durationBuckets,
    origin: "original",
  },
  grpcConnections: {
    name: `${prefix}_grpc_connections`,
    type: "gauge",
    help: "Number of current grpc connections, partitioned by service method.",
    labels: ["service_method"],
    origin: "original",
  },
  httpConnections: {
    name: `${prefix}_http_connections`,
    type: "gauge",
    help: "Number of current HTTP CONNECT connections",
    labels: [],
    origin: "original",
  },
  readyBackendConnections: {
    name: `${prefix}_ready_backend_connections`,
    type: "gauge",
    help: "Number of konnectivity agent connected to the proxy server. DEPRECATED, please use ready_backends",
    labels: [],
    origin: "original",
    ofWorkers: "max",
  },
  readyBackends: {
    name: `${prefix}_ready_backends`,
    type: "gauge",
    help: "Number of konnectivity agent connected to the proxy server",
    labels: ["proxy_strategy"],
    origin: "original",
    ofWorkers: "max",
  },
  pendingBackendDials: {
    name: `${prefix}_pending_backend_dials`,
    type: "gauge",
    help: "Current number of pending backend dial requests",
    labels: [],
    origin: "original",
  },
  establishedConnections: {
    name: `${prefix}_established_connections`,
    type: "gauge",
    help: "Current number of established end-to-end connections (post-dial).",
    labels: [],
    origin: "original",
  },
  fullReceiveChannels: {
    name: `${prefix}_full_receive_channels`,
    type: "gauge",
    help: "Number of current connections blocked by a full receive channel, partitioned by service method.",
    labels: ["service_method"],
    origin: "original",
  },
  dialFailures: {
    name: `${prefix}_dial_failure_count`,
    type: "counter",
    help: "Number of dial failures observed. Multiple failures can occur for a single dial request.",
    labels: ["reason"],
    origin: "original",
  },
  culledLeases: {
    name: `${prefix}_culled_leases_count`,
    type: "counter",
    help: "Count of expired leases that the lease garbage collection controller has culled.",
    labels: [],
    origin: "original",
  },
  leaseDeleteLatency: {
    name: `${prefix}_lease_delete_latency_seconds`,
    type: "histogram",
    help: "Latency of lease deletion calls by the garbage collection controller in seconds.",
    labels: ["http_status_code"],
    buckets: defaultBuckets,
    origin: "original",
  },
  leaseDeletes: {
    name: `${prefix}_lease_delete_total`,
    type: "counter",
    help:
      "Count of lease delection calls by the garbage collection controller. Labeled by HTTP status code and reason.",
    labels: ["http_status_code", "reason"],
    origin: "original",
  },
  leaseListLatency: {
    name: `${prefix}_lease_list_latency_seconds`,
    type: "histogram",
    help: "Latency of lease list calls by the garbage collection controller in seconds.",
    labels: ["http_status_code"],
    buckets: defaultBuckets,
    origin: "original",
  },
  leaseLists: {
    name: `${prefix}_lease_list_total`,
    type: "counter",
    help: "Count of lease deletion calls by the garbage collection controller. Labeled by HTTP status code and reason.",
    labels: ["http_status_code", "reason"],
    origin: "original",
  },
  closedTunnels: {
    name: `${prefix}_tunnels_closed_total`,
    type: "counter",
    help: "Count of established tunnels that ended, by who began the end and why.",
    labels: ["initiator", "reason"],
    origin: "ours",
  },
  refusedPeers: {
    name: `${prefix}_refused_peers_total`,
    type: "counter",
    help:
      "Count of clients and agents that were refused for the name in their certificate, or an identifier they claim.",
    labels: ["peer", "reason"],
    origin: "ours",
  },
  auditLost: {
    name: `${prefix}_audit_lines_lost_total`,
    type: "counter",
    help: "Count of lines of the audit log that were lost because its file did not take them in time.",
    labels: [],
    origin: "ours",
  },
  backendTunnels: {
    name: `${prefix}_backend_tunnels`,
    type: "gauge",
    help: "Number of established tunnels of each connected agent, while there are no more than --per-agent-metrics.",
    labels: ["agent_id"],
    origin: "ours",
  },
  drainingBackends: {
    name: `${prefix}_draining_backends`,
    type: "gauge",
    help: "Number of connected agents that asked for no new dials.",
    labels: [],
    origin: "ours",
    ofWorkers: "max",
  },
  linksOpened: {
    name: `${prefix}_links_opened_total`,
    type: "counter",
    help: "Count of links that agents have brought up.",
    labels: [],
    origin: "ours",
  },
  tokenReviews: {
    name: `${prefix}_token_reviews_total`,
    type: "counter",
    help: "Count of reviews of agents' tokens by the Kubernetes API, by outcome; a verdict that is remembered is none.",
    labels: ["outcome"],
    origin: "ours",
  },
  tokenReviewsThrottled: {
    name: `${prefix}_token_reviews_throttled_total`,
    type: "counter",
    help:
      "Count of reviews of agents' tokens that had to wait or were refused, by reason: rate (--kubeconfig-qps), api (it asked to wait), too_many (in flight).",
    labels: ["reason"],
    origin: "ours",
  },
  queuedBytes: {
    name: `${prefix}_queued_bytes`,
    type: "gauge",
    help: "Bytes held for peers that have not taken them yet.",
    labels: [],
    origin: "ours",
  },
  probeSuccess: {
    name: `${prefix}_probe_success`,
    type: "gauge",
    help:
      "Whether the last probe reached its destination of --probe-destination (1), or it did not, or none has ended (0).",
    labels: ["destination"],
    origin: "ours",
    // One worker that does not reach it fails those clients that came to it.
    ofWorkers: "min",
  },
  probeDuration: {
    name: `${prefix}_probe_duration_seconds`,
    type: "histogram",
    help: "Time of probes that reached their destination, from the dial to the agent's answer, in seconds.",
    labels: ["destination"],
    buckets: defaultBuckets,
    origin: "ours",
  },
  probeFailures: {
    name: `${prefix}_probe_failures_total`,
    type: "counter",
    help: "Count of probes that did not reach their destination, by reason as dial_failure_count has it, or timeout.",
    labels: ["destination", "reason"],
    origin: "ours",
  },
  refusedCalls: {
    name: `${prefix}_calls_refused_total`,
    type: "counter",
    help: "Count of calls that were refused because there were too many of their kind, by listener and bound.",
    labels: ["listener", "reason"],
    origin: "ours",
  },
  closedConnections: {
    name: `${prefix}_connections_closed_total`,
    type: "counter",
    help: "Count of connections that were closed because they reached a bound, by listener and bound.",
    labels: ["listener", "reason"],
    origin: "ours",
  },
} as const satisfies Record<string, Metric>;
