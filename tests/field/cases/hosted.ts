import { controlPlaneIp, type FieldCase, type FieldMetric, type FieldProgram, nodeIp, root } from "../field_case.ts";
import { pageAgent, pageBase, pageServer } from "./charts.ts";

const certificateFiles = (folder: string, names: readonly [string, string]) =>
  ({
    [`${folder}/ca.crt`]: "ca",
    [`${folder}/${names[0]}`]: "agent-cert",
    [`${folder}/${names[1]}`]: "agent-key",
  }) as const;

/** A server whose agents have certificates, and choose by host or are a way out for all else. */
function hostedServer(mode: FieldCase["mode"]): FieldProgram {
  return {
    command: [
      "/proxy-server",
      `--mode=${mode}`,
      "--uds-name=/run/konnectivity/server.sock",
      "--server-port=0",
      "--cluster-ca-cert=/certs/ca.crt",
      "--cluster-cert=/certs/server.crt",
      "--cluster-key=/certs/server.key",
      "--proxy-strategies=destHost,defaultRoute",
      "--keepalive-time=30s",
    ],
    files: {
      "/certs/ca.crt": "ca",
      "/certs/server.crt": "server-cert",
      "/certs/server.key": "server-key",
      "/run/konnectivity": "folder",
    },
    healthPort: 8092,
  };
}
const hostedBase = {
  frontend: { uds: "/run/konnectivity/server.sock" },
  agents: "certificate",
  api: "none",
} as const;

const aks = "/certs";
const aksHost = "konnectivity.example.com";
function aksAgent(identifiers: string, ...more: readonly string[]): FieldProgram {
  return {
    command: [
      "/proxy-agent",
      `--proxy-server-host=${aksHost}`,
      "--proxy-server-port=443",
      "--health-server-port=8082",
      "--keepalive-time=30s",
      `--agent-key=${aks}/client.key`,
      `--agent-cert=${aks}/client.crt`,
      `--ca-cert=${aks}/ca.crt`,
      ...more,
      `--agent-identifiers=${identifiers}`,
      "--alpn-proto=konnectivity",
      "-v=2",
    ],
    files: certificateFiles(aks, ["client.crt", "client.key"]),
    hosts: { [aksHost]: controlPlaneIp },
    healthPort: 8082,
  };
}

const server = (name: string, type: FieldMetric["type"]): FieldMetric => ({
  of: "server",
  name: name.startsWith("process_") || name.startsWith("go_") ? name : `konnectivity_network_proxy_server_${name}`,
  type,
});
const missing = (of: FieldMetric["of"], name: string, type: FieldMetric["type"]): FieldMetric => ({
  of,
  name,
  type,
  missing: true,
});
/** What the exporter of AKS's load test takes from either program. */
const exported: readonly FieldMetric[] = [
  server("grpc_connections", "gauge"),
  server("ready_backend_connections", "gauge"),
  server("established_connections", "gauge"),
  server("http_connections", "gauge"),
  server("pending_backend_dials", "gauge"),
  server("dial_duration_seconds", "histogram"),
  { ...server("dial_failure_count", "counter"), label: ["reason", "error_response"] },
  { ...server("stream_packets_total", "counter"), label: ["packet_type", "DIAL_REQ"] },
  server("frontend_write_duration_seconds", "histogram"),
  server("process_open_fds", "gauge"),
  server("process_max_fds", "gauge"),
  server("process_resident_memory_bytes", "gauge"),
  server("process_virtual_memory_bytes", "gauge"),
  server("process_cpu_seconds_total", "counter"),
  { of: "agent", name: "konnectivity_network_proxy_agent_open_server_connections", type: "gauge" },
  { of: "agent", name: "konnectivity_network_proxy_agent_open_endpoint_connections", type: "gauge" },
  { of: "agent", name: "process_open_fds", type: "gauge" },
  { of: "agent", name: "process_resident_memory_bytes", type: "gauge" },
  { of: "agent", name: "process_virtual_memory_bytes", type: "gauge" },
  ...(["server", "agent"] as const).flatMap((of) => [
    missing(of, "go_threads", "gauge"),
    missing(of, "go_goroutines", "gauge"),
    missing(of, "go_memstats_alloc_bytes", "gauge"),
    missing(of, "go_memstats_heap_inuse_bytes", "gauge"),
    missing(of, "go_gc_duration_seconds", "summary"),
  ]),
];

/** Hosted control planes, nodes, and whatever else joins a cluster by hand. */
export const hosted: readonly FieldCase[] = [
  {
    ...pageBase,
    rows: ["S18", "A16"],
    distribution: "Constellation",
    source: "edgelesssys/constellation bootstrapper k8sapi/resources/konnectivity.go",
    frontend: { uds: "/run/konnectivity-server/konnectivity-server.socket" },
    server: {
      ...pageServer(),
      command: [
        ...pageServer().command.map((word) =>
          word.replace("/etc/kubernetes/konnectivity-server/", "/run/konnectivity-server/")
        ),
        "--v=5",
        "--proxy-strategies=default",
      ],
      files: { ...pageServer().files, "/run/konnectivity-server": "folder" },
      liveness: { path: "/healthz", port: 8134, initialDelaySeconds: 30, timeoutSeconds: 60 },
    },
    agent: { ...pageAgent("--agent-identifiers=host=$(HOST_IP)", "--sync-forever=true"), env: { HOST_IP: nodeIp } },
    notes: "the agent is on the host's network, and looks for servers for ever",
  },
  {
    ...pageBase,
    rows: ["A14"],
    distribution: "a hosted control plane for Cluster API",
    source: "teutonet/cluster-api-provider-hosted-control-plane",
    api: "leases",
    server: pageServer("--enable-lease-controller", "--proxy-strategies=destHost,default"),
    agent: {
      ...pageAgent(
        "--agent-identifiers=ipv4=$(HOST_IP)",
        "--count-server-leases=true",
        "--server-count-source=max",
        "--sync-interval=250ms",
        "--sync-interval-cap=2s",
      ),
      command: pageAgent(
        "--agent-identifiers=ipv4=$(HOST_IP)",
        "--count-server-leases=true",
        "--server-count-source=max",
        "--sync-interval=250ms",
        "--sync-interval-cap=2s",
      ).command.map((word) => word.startsWith("--proxy-server-port") ? "--proxy-server-port=443" : word),
      env: { HOST_IP: nodeIp, KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "6443" },
    },
    balancerPort: 443,
    notes: "the larger of the leases' count and the server's own; attempts four times a second; a balancer at 443",
  },
  {
    ...hostedBase,
    rows: ["A15"],
    distribution: "AKS, agents on nodes",
    source: "AKS, as `kubectl get deploy konnectivity-agent` shows it",
    mode: "http-connect",
    server: hostedServer("http-connect"),
    agent: aksAgent("default-route=true", "--sync-forever=true"),
    balancerPort: 443,
    notes: "a balancer at 443, which tells agents by an ALPN protocol of its own; the servers' flags are not public",
  },
  {
    ...hostedBase,
    rows: ["A15"],
    distribution: "AKS, agents as sidecars",
    source: "Azure, a metrics-server with an agent beside it",
    mode: "grpc",
    server: hostedServer("grpc"),
    agent: {
      ...aksAgent("ipv4=$(POD_IP)"),
      env: { POD_IP: nodeIp },
      liveness: { path: "/ready", port: 8082, initialDelaySeconds: 30, periodSeconds: 60, timeoutSeconds: 60 },
      readiness: { path: "/ready", port: 8082 },
    },
    balancerPort: 443,
    notes:
      "both probes ask for `/ready`, the old name: an agent without a server is restarted; the servers' flags are not " +
      "public",
  },
  {
    ...hostedBase,
    rows: ["AKS load exporter"],
    distribution: "AKS, what its load test exports",
    source: "Azure, an exporter of metrics for load tests",
    mode: "grpc",
    server: hostedServer("grpc"),
    agent: aksAgent("default-route=true"),
    balancerPort: 443,
    metrics: exported,
    notes: "`go_*` are of the original's runtime, and ours has other figures",
  },
  {
    ...hostedBase,
    rows: ["A17"],
    distribution: "a pod in a Lima machine",
    source: "a control plane on a workstation, its agent in Lima",
    mode: "grpc",
    server: hostedServer("grpc"),
    agent: {
      command: [
        "/proxy-agent",
        "--logtostderr=true",
        "--proxy-server-host=host.lima.internal",
        "--proxy-server-port=8091",
        "--ca-cert=/certs/ca.crt",
        "--agent-cert=/certs/tls.crt",
        "--agent-key=/certs/tls.key",
        "--agent-identifiers=default-route=true",
        "--sync-interval=5s",
        "--sync-interval-cap=30s",
      ],
      files: certificateFiles("/certs", ["tls.crt", "tls.key"]),
      hosts: { "host.lima.internal": controlPlaneIp },
      healthPort: 8093,
    },
    notes: "the image's entry point; the server's name is in `/etc/hosts` alone",
  },
  {
    ...pageBase,
    rows: ["S22", "A18"],
    distribution: "systemd units of hard-way guides",
    source: "units for proxy-server on a control plane, and for proxy-agent on a vCluster node",
    frontend: { uds: "/var/lib/kubernetes/konnectivity-server/konnectivity-server.socket" },
    server: {
      command: [
        "/proxy-server",
        "--log-file=/var/log/konnectivity-server.log",
        "--logtostderr=false",
        "--log-file-max-size=0",
        "--uds-name=/var/lib/kubernetes/konnectivity-server/konnectivity-server.socket",
        "--cluster-cert=/etc/kubernetes/kubernetes.pem",
        "--cluster-key=/etc/kubernetes/kubernetes-key.pem",
        "--server-port=0",
        "--agent-port=8091",
        "--health-port=8092",
        "--admin-port=8093",
        "--keepalive-time=1h",
        "--mode=grpc",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--kubeconfig=/etc/kubernetes/konnectivity-server.kubeconfig",
        "--authentication-audience=system:konnectivity-server",
      ],
      user: root,
      files: {
        "/etc/kubernetes/kubernetes.pem": "server-cert",
        "/etc/kubernetes/kubernetes-key.pem": { content: "server-key", mode: 0o600 },
        "/etc/kubernetes/konnectivity-server.kubeconfig": { content: "kubeconfig", mode: 0o600 },
        "/var/lib/kubernetes/konnectivity-server": "folder",
        "/var/log": "folder",
      },
      healthPort: 8092,
    },
    agent: {
      command: [
        "/proxy-agent",
        "--logtostderr=true",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8091",
        "--ca-cert=/etc/kubernetes/vcluster-konnectivity-server-ca.crt",
        "--service-account-token-path=/etc/kubernetes/konnectivity-agent-token",
        `--agent-identifiers=host=node-1&ipv4=${nodeIp}`,
        "--health-server-host=127.0.0.1",
        "--health-server-port=8093",
        "--admin-bind-address=127.0.0.1",
        "--admin-server-port=8094",
        "--v=4",
      ],
      user: root,
      files: {
        "/etc/kubernetes/vcluster-konnectivity-server-ca.crt": "ca",
        "/etc/kubernetes/konnectivity-agent-token": { content: "token", mode: 0o600 },
      },
      liveness: { path: "/healthz", port: 8093, host: "127.0.0.1" },
      healthPort: 8093,
    },
    edit: "only where a unit has `MemoryDenyWriteExecute=yes`: take it out, since the runtime compiles as it runs",
    notes: "no probes; the log's file is made by the server",
  },
  {
    ...pageBase,
    rows: ["S23"],
    distribution: "Deckhouse, virtual control plane",
    source: "deckhouse, StatefulSet of a virtual control plane",
    server: {
      command: [
        "/proxy-server",
        "--logtostderr=true",
        "--mode=grpc",
        "--server-port=0",
        "--agent-port=8132",
        "--health-port=8134",
        "--admin-port=8133",
        "--uds-name=/etc/kubernetes/konnectivity-server/konnectivity-server.socket",
        "--cluster-cert=/pki/apiserver.crt",
        "--cluster-key=/pki/apiserver.key",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--authentication-audience=system:konnectivity-server",
        "--kubeconfig=/etc/konnectivity/kubeconfig/super-admin.conf",
      ],
      user: { uid: 64_535, gid: 64_535, groups: [64_535] },
      dropsCapabilities: true,
      noNewPrivileges: true,
      readOnlyRootFilesystem: true,
      files: {
        "/pki/apiserver.crt": { content: "server-cert", owner: { uid: 0, gid: 64_535 }, mode: 0o640 },
        "/pki/apiserver.key": { content: "server-key", owner: { uid: 0, gid: 64_535 }, mode: 0o640 },
        "/etc/konnectivity/kubeconfig/super-admin.conf": {
          content: "kubeconfig",
          owner: { uid: 0, gid: 64_535 },
          mode: 0o640,
        },
        // An emptyDir of a pod with `fsGroup`.
        "/etc/kubernetes/konnectivity-server": { content: "folder", owner: { uid: 0, gid: 64_535 }, mode: 0o2777 },
      },
      liveness: { path: "/healthz", port: 8134, initialDelaySeconds: 15 },
      healthPort: 8134,
    },
    agent: pageAgent(),
    notes: "not root, `fsGroup`, a read-only root file system; a request of 64Mi",
  },
];
