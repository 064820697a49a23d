import { controlPlaneIp, type FieldCase, type FieldProgram, root } from "../field_case.ts";

const grpcSocket = "/etc/kubernetes/konnectivity-server/konnectivity-server.socket";

/** What the set-up page of Kubernetes shows, which most charts began with. @param more stands behind the mode */
export function pageServer(...more: readonly string[]): FieldProgram {
  return {
    command: [
      "/proxy-server",
      "--logtostderr=true",
      `--uds-name=${grpcSocket}`,
      "--delete-existing-uds-file",
      "--cluster-cert=/etc/kubernetes/pki/apiserver.crt",
      "--cluster-key=/etc/kubernetes/pki/apiserver.key",
      "--mode=grpc",
      "--server-port=0",
      ...more,
      "--agent-port=8132",
      "--admin-port=8133",
      "--health-port=8134",
      "--agent-namespace=kube-system",
      "--agent-service-account=konnectivity-agent",
      "--kubeconfig=/etc/kubernetes/konnectivity-server.conf",
      "--authentication-audience=system:konnectivity-server",
    ],
    user: root,
    files: {
      "/etc/kubernetes/pki/apiserver.crt": "server-cert",
      "/etc/kubernetes/pki/apiserver.key": { content: "server-key", mode: 0o600 },
      "/etc/kubernetes/konnectivity-server.conf": { content: "kubeconfig", mode: 0o600 },
      "/etc/kubernetes/konnectivity-server": "folder",
    },
    liveness: { path: "/healthz", port: 8134, host: "127.0.0.1", initialDelaySeconds: 30, timeoutSeconds: 60 },
    healthPort: 8134,
  };
}

/** The agent of the same page. @param last stands behind the rest */
export function pageAgent(...last: readonly string[]): FieldProgram {
  return {
    command: [
      "/proxy-agent",
      "--logtostderr=true",
      "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
      `--proxy-server-host=${controlPlaneIp}`,
      "--proxy-server-port=8132",
      "--admin-server-port=8133",
      "--health-server-port=8134",
      "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      ...last,
    ],
    files: {
      "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
      "/var/run/secrets/kubernetes.io/serviceaccount/token": "api-token",
      "/var/run/secrets/tokens/konnectivity-agent-token": "token",
    },
    liveness: { path: "/healthz", port: 8134, initialDelaySeconds: 15, timeoutSeconds: 15 },
    healthPort: 8134,
  };
}

/** What all that begins there has in common. */
export const pageBase = { mode: "grpc", frontend: { uds: grpcSocket }, agents: "token", api: "tokens" } as const;

const upCloud = (host: string): FieldProgram => ({
  ...pageAgent(
    "--probe-interval=1s",
    "--sync-interval=1s",
    "--sync-interval-cap=10s",
    "--sync-forever=false",
    "--count-server-leases=false",
  ),
  command: pageAgent(
    "--probe-interval=1s",
    "--sync-interval=1s",
    "--sync-interval-cap=10s",
    "--sync-forever=false",
    "--count-server-leases=false",
  ).command.map((word) => word.startsWith("--proxy-server-host") ? `--proxy-server-host=${host}` : word),
});

/** Charts that are none of Kubernetes' own. */
export const charts: readonly FieldCase[] = [
  {
    ...pageBase,
    rows: ["S15", "A11"],
    distribution: "Linode's chart (cluster-api-provider-linode)",
    source: "linode/konnectivity chart",
    server: pageServer("--server-count=1"),
    agent: pageAgent(),
    notes: "a DaemonSet of servers on control-plane nodes, a Deployment of agents",
  },
  {
    ...pageBase,
    rows: ["S16"],
    distribution: "Kubernetes-in-Kubernetes' chart, HTTP CONNECT",
    source: "aenix-io/kubernetes-in-kubernetes deploy/helm/kubernetes",
    mode: "http-connect",
    frontend: { port: 8131 },
    server: {
      command: [
        "/proxy-server",
        "--logtostderr=true",
        "--server-count=2",
        "--server-id=$(POD_NAME)",
        "--cluster-cert=/pki/apiserver/tls.crt",
        "--cluster-key=/pki/apiserver/tls.key",
        "--server-ca-cert=/pki/konnectivity-server/ca.crt",
        "--server-cert=/pki/konnectivity-server/tls.crt",
        "--server-key=/pki/konnectivity-server/tls.key",
        "--mode=http-connect",
        "--server-port=8131",
        "--agent-port=8132",
        "--admin-port=8133",
        "--agent-namespace=kube-system",
        "--agent-service-account=konnectivity-agent",
        "--kubeconfig=/etc/kubernetes/konnectivity-server.conf",
        "--authentication-audience=system:konnectivity-server",
      ],
      env: { POD_NAME: "cluster-konnectivity-server-6c7d8f9b4-x2x7z" },
      files: {
        "/pki/apiserver/tls.crt": "server-cert",
        "/pki/apiserver/tls.key": "server-key",
        "/pki/konnectivity-server/ca.crt": "ca",
        "/pki/konnectivity-server/tls.crt": "server-cert",
        "/pki/konnectivity-server/tls.key": "server-key",
        "/etc/kubernetes/konnectivity-server.conf": "kubeconfig",
      },
      liveness: {
        path: "/healthz",
        port: 8133,
        scheme: "HTTPS",
        initialDelaySeconds: 30,
        timeoutSeconds: 60,
        failureThreshold: 8,
      },
      healthPort: 8092,
    },
    agent: pageAgent(),
    brokenProbe: { of: "server", kind: "liveness" },
    notes: "two servers are announced; the server's id is the pod's name; its liveness probe asks the admin port for " +
      "HTTPS, which neither implementation has there: the kubelet restarts both",
  },
  {
    ...pageBase,
    rows: ["A12"],
    distribution: "Syself's chart",
    source: "syself/charts charts/konnectivity-agent",
    tokenAudience: "system:konnectivity-agent",
    server: {
      ...pageServer(),
      command: pageServer().command.map((word) =>
        word.startsWith("--authentication-audience") ? "--authentication-audience=system:konnectivity-agent" : word
      ),
    },
    agent: {
      ...pageAgent(
        "--sync-interval=5s",
        "--sync-interval-cap=30s",
        "--sync-forever=true",
        "--probe-interval=5s",
        "--keepalive-time=60s",
        "--v=3",
      ),
      env: { POD_NAME: "konnectivity-agent-5d9c7", POD_NAMESPACE: "kube-system" },
      liveness: { path: "/healthz", port: 8134, initialDelaySeconds: 15, timeoutSeconds: 15 },
      readiness: { path: "/readyz", port: 8134, initialDelaySeconds: 15, timeoutSeconds: 15 },
    },
    metrics: [
      { of: "server", name: "konnectivity_network_proxy_server_ready_backends", type: "gauge" },
      { of: "agent", name: "konnectivity_network_proxy_agent_open_server_connections", type: "gauge" },
      { of: "agent", name: "process_resident_memory_bytes", type: "gauge" },
    ],
    notes: "tokens for an audience of its own; a ServiceMonitor scrapes the health port",
  },
  {
    ...pageBase,
    rows: ["A13"],
    distribution: "UpCloud's chart",
    source: "UpCloudLtd/charts charts/konnectivity-agent",
    server: pageServer(),
    agent: upCloud(controlPlaneIp),
    notes: "every switch is given, with `false` too",
  },
  {
    ...pageBase,
    rows: ["A13"],
    distribution: "UpCloud's chart with its default values",
    source: "UpCloudLtd/charts charts/konnectivity-agent",
    server: pageServer(),
    agent: upCloud(""),
    neverReady: "cannot connect",
    notes: "the server's host is empty until it is set: the agent is alive and never ready",
  },
];
