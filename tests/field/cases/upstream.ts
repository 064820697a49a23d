import { controlPlaneIp, type FieldCase, type FieldProgram, nodeIp, root } from "../field_case.ts";
import { pageAgent, pageBase, pageServer } from "./charts.ts";

const source = "kubernetes-sigs/apiserver-network-proxy";
const service = "konnectivity-server.kube-system.svc.cluster.local";
const kindSocket = "/etc/kubernetes/konnectivity-server/konnectivity-server.socket";

function kindServer(...more: readonly string[]): FieldProgram {
  return {
    command: [
      "/proxy-server",
      "--log-file=/var/log/konnectivity-server.log",
      "--logtostderr=true",
      "--log-file-max-size=0",
      `--uds-name=${kindSocket}`,
      "--delete-existing-uds-file",
      "--cluster-cert=/etc/kubernetes/pki/apiserver.crt",
      "--cluster-key=/etc/kubernetes/pki/apiserver.key",
      "--agent-port=8091",
      "--health-port=8092",
      "--admin-port=8093",
      "--keepalive-time=1h",
      "--mode=grpc",
      "--agent-namespace=kube-system",
      "--agent-service-account=konnectivity-agent",
      "--kubeconfig=/etc/kubernetes/admin.conf",
      "--authentication-audience=system:konnectivity-server",
      ...more,
    ],
    user: root,
    noNewPrivileges: true,
    files: {
      "/etc/kubernetes/pki/apiserver.crt": "server-cert",
      "/etc/kubernetes/pki/apiserver.key": { content: "server-key", mode: 0o600 },
      "/etc/kubernetes/admin.conf": { content: "kubeconfig", mode: 0o600 },
      "/etc/kubernetes/konnectivity-server": "folder",
      "/var/log/konnectivity-server.log": { content: "log", mode: 0o644 },
    },
    liveness: { path: "/healthz", port: 8092, host: "127.0.0.1", initialDelaySeconds: 10, timeoutSeconds: 60 },
    healthPort: 8092,
  };
}

function kindAgent(...more: readonly string[]): FieldProgram {
  const asked = { port: 8093, initialDelaySeconds: 15, timeoutSeconds: 15 };
  return {
    command: [
      "/proxy-agent",
      "--logtostderr=true",
      "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
      `--proxy-server-host=${service}`,
      "--proxy-server-port=8091",
      "--sync-interval=5s",
      "--sync-interval-cap=30s",
      "--sync-forever",
      "--probe-interval=5s",
      "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      // Not a kubelet's way to write a variable: the agent is given these very characters.
      "--agent-identifiers=ipv4=${HOST_IP}",
      ...more,
    ],
    env: {
      POD_NAME: "konnectivity-agent-b4tqn",
      POD_NAMESPACE: "kube-system",
      HOST_IP: nodeIp,
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: "6443",
    },
    files: pageAgent().files,
    hosts: { [service]: controlPlaneIp },
    liveness: { path: "/healthz", ...asked },
    readiness: { path: "/readyz", ...asked },
    memoryLimitMi: 30,
    overLimit: true,
    healthPort: 8093,
  };
}

const kindBase = { mode: "grpc", frontend: { uds: kindSocket }, agents: "token" } as const;

/** Kubernetes' page, the original's own examples and tests, and what they were before and will be. */
export const upstream: readonly FieldCase[] = [
  {
    ...pageBase,
    rows: ["S17", "A19"],
    distribution: "kubernetes.io, set-up page",
    source: "kubernetes/website examples/admin/konnectivity",
    server: pageServer(),
    agent: pageAgent(),
    notes: "what most others began with",
  },
  {
    ...kindBase,
    rows: ["S19", "A2"],
    distribution: "upstream examples/kind-multinode",
    source: `${source} examples/kind-multinode`,
    api: "leases",
    server: kindServer("--server-port=0", "--enable-lease-controller"),
    agent: kindAgent("--count-server-leases"),
    metrics: [
      { of: "agent", name: "konnectivity_network_proxy_agent_open_server_connections", type: "gauge" },
      { of: "agent", name: "konnectivity_network_proxy_agent_known_server_count", type: "gauge" },
    ],
    notes: "leases on both sides; an identifier with `${HOST_IP}` in it, which nobody replaces",
  },
  {
    ...pageBase,
    rows: ["S19"],
    distribution: "upstream examples/kubernetes",
    source: `${source} examples/kubernetes`,
    mode: "http-connect",
    frontend: { uds: "/etc/srv/kubernetes/konnectivity-server/konnectivity-server.socket" },
    server: {
      command: [
        "/proxy-server",
        "--log-file=/var/log/konnectivity-server.log",
        "--logtostderr=false",
        "--log-file-max-size=0",
        "--uds-name=/etc/srv/kubernetes/konnectivity-server/konnectivity-server.socket",
        "--cluster-cert=/etc/srv/kubernetes/pki/apiserver.crt",
        "--cluster-key=/etc/srv/kubernetes/pki/apiserver.key",
        "--server-port=0",
        "--agent-port=8091",
        "--health-port=8092",
        "--admin-port=8093",
        "--keepalive-time=1h",
        "--mode=http-connect",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--kubeconfig=/etc/srv/kubernetes/konnectivity-server/kubeconfig",
        "--authentication-audience=system:konnectivity-server",
      ],
      user: root,
      files: {
        "/etc/srv/kubernetes/pki/apiserver.crt": "server-cert",
        "/etc/srv/kubernetes/pki/apiserver.key": { content: "server-key", mode: 0o600 },
        "/etc/srv/kubernetes/konnectivity-server": "folder",
        "/etc/srv/kubernetes/konnectivity-server/kubeconfig": { content: "kubeconfig", mode: 0o600 },
        "/var/log/konnectivity-server.log": { content: "log", mode: 0o644 },
      },
      liveness: { path: "/healthz", port: 8092, host: "127.0.0.1", initialDelaySeconds: 10, timeoutSeconds: 60 },
      healthPort: 8092,
    },
    agent: {
      ...kindAgent(),
      command: [
        "/proxy-agent",
        "--logtostderr=true",
        "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        `--proxy-server-host=${controlPlaneIp}`,
        "--proxy-server-port=8091",
        "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      ],
    },
    notes: "HTTP CONNECT over a Unix socket",
  },
  {
    ...kindBase,
    rows: ["S20"],
    distribution: "upstream's own end-to-end test",
    source: `${source} e2e`,
    api: "leases",
    server: kindServer("--server-port=0", "--enable-lease-controller", "--lease-label=k8s-app=konnectivity-server"),
    agent: kindAgent("--count-server-leases", "--admin-bind-address="),
    metrics: [
      // Its test reads the sample as a whole number without labels, below a TYPE.
      { of: "agent", name: "konnectivity_network_proxy_agent_open_server_connections", type: "gauge" },
    ],
    notes: "an empty `--admin-bind-address`; its test reads `open_server_connections`",
  },
  {
    ...kindBase,
    rows: ["S20"],
    distribution: "upstream's older end-to-end test",
    source: `${source} e2e, earlier`,
    api: "tokens",
    server: kindServer("--server-port=8090"),
    agent: kindAgent(),
    refusal: { of: "server", says: "server port should be set to 0 not 8090 for UDS", original: "refuses" },
    notes: "a Unix socket and a port",
  },
  {
    ...pageBase,
    rows: ["S21"],
    distribution: "a static pod of 2020",
    source: `${source} examples/kubernetes, of 2020`,
    server: {
      ...pageServer(),
      command: pageServer().command.map((word) => word.replace("--uds-name=", "--udsName=")),
    },
    agent: pageAgent(),
    refusal: { of: "server", says: "unknown flag: --udsName", original: "refuses" },
    notes: "flags in camel case, which the original had until 2020",
  },
  {
    ...pageBase,
    rows: ["S24"],
    distribution: "upstream's next release",
    source: `${source} after pull request 918`,
    mode: "http-connect",
    server: {
      ...pageServer("--frontend-write-channel-size=50"),
      command: pageServer("--frontend-write-channel-size=50").command.map((word) =>
        word === "--mode=grpc" ? "--mode=http-connect" : word
      ),
    },
    agent: pageAgent(),
    newerThanOriginal: true,
    notes: "`--frontend-write-channel-size` is taken and changes nothing: our queues are bounded in bytes",
  },
];
