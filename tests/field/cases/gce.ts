import { controlPlaneIp, type FieldCase, type FieldProgram, nodeIp, root } from "../field_case.ts";

const source = "kubernetes/kubernetes cluster/gce";
const folder = "/etc/srv/kubernetes/konnectivity-server";
const socket = `${folder}/konnectivity-server.socket`;

/** What the set-up script writes for either mode. */
const logging = ["--log-file=/var/log/konnectivity-server.log", "--logtostderr=false", "--log-file-max-size=0"];
const pair = [
  "--cluster-cert=/etc/srv/kubernetes/pki/apiserver.crt",
  "--cluster-key=/etc/srv/kubernetes/pki/apiserver.key",
];
const ports = ["--agent-port=8132", "--health-port=8133", "--admin-port=8134"];
const pace = ["--kubeconfig-qps=75", "--kubeconfig-burst=150", "--keepalive-time=60s", "--frontend-keepalive-time=60s"];

const probe = { path: "/healthz", port: 8133, host: "127.0.0.1", initialDelaySeconds: 30, timeoutSeconds: 61 };
const pki = {
  "/etc/srv/kubernetes/pki/apiserver.crt": "server-cert",
  "/etc/srv/kubernetes/pki/apiserver.key": { content: "server-key", mode: 0o600 },
} as const;

const grpcServer: FieldProgram = {
  command: [
    "/proxy-server",
    ...logging,
    `--uds-name=${socket}`,
    ...pair,
    "--mode=grpc",
    "--server-port=0",
    "--agent-namespace=kube-system",
    "--agent-service-account=konnectivity-agent",
    "--authentication-audience=system:konnectivity-server",
    `--kubeconfig=${folder}/kubeconfig`,
    "--proxy-strategies=default",
    ...ports,
    ...pace,
  ],
  user: root,
  files: {
    ...pki,
    [folder]: "folder",
    [`${folder}/kubeconfig`]: { content: "kubeconfig-insecure-token", mode: 0o600 },
    "/var/log/konnectivity-server.log": { content: "log", mode: 0o644 },
  },
  liveness: probe,
  healthPort: 8133,
};

/** The add-on's DaemonSet, with what the set-up script puts in its place for more arguments. */
function agent(more: readonly string[], files: FieldProgram["files"] = {}): FieldProgram {
  return {
    command: [
      "/proxy-agent",
      "--logtostderr=true",
      "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
      ...more,
      `--proxy-server-host=${controlPlaneIp}`,
      "--proxy-server-port=8132",
      "--sync-interval=5s",
      "--sync-interval-cap=30s",
      "--probe-interval=5s",
      "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      "--agent-identifiers=ipv4=$(HOST_IP)",
    ],
    env: { POD_NAME: "konnectivity-agent-x7k2p", POD_NAMESPACE: "kube-system", HOST_IP: nodeIp },
    files: {
      "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
      "/var/run/secrets/tokens/konnectivity-agent-token": "token",
      ...files,
    },
    liveness: { path: "/healthz", port: 8093, initialDelaySeconds: 15, timeoutSeconds: 15 },
    memoryLimitMi: 30,
    overLimit: true,
    healthPort: 8093,
  };
}

/** kube-up on GCE, in its three forms. */
export const gce: readonly FieldCase[] = [
  {
    rows: ["S1", "A1"],
    distribution: "Kubernetes on GCE, gRPC",
    source,
    mode: "grpc",
    frontend: { uds: socket },
    agents: "token",
    api: "tokens",
    server: grpcServer,
    agent: agent([]),
    notes: "health on 8133 and admin on 8134; a log file without a bound; a kubeconfig with a token and " +
      "`insecure-skip-tls-verify`",
  },
  {
    rows: ["S2", "A1"],
    distribution: "Kubernetes on GCE, HTTP CONNECT",
    source,
    mode: "http-connect",
    frontend: { port: 8131 },
    agents: "certificate",
    api: "none",
    server: {
      ...grpcServer,
      command: [
        "/proxy-server",
        ...logging,
        "--server-ca-cert=/etc/srv/kubernetes/pki/konnectivity-server/ca.crt",
        "--server-cert=/etc/srv/kubernetes/pki/konnectivity-server/server.crt",
        "--server-key=/etc/srv/kubernetes/pki/konnectivity-server/server.key",
        "--cluster-ca-cert=/etc/srv/kubernetes/pki/konnectivity-agent/ca.crt",
        ...pair,
        "--mode=http-connect",
        "--server-port=8131",
        "--agent-namespace=",
        "--agent-service-account=",
        "--authentication-audience=",
        "--kubeconfig=",
        "--proxy-strategies=destHost,default",
        ...ports,
        ...pace,
      ],
      files: {
        ...pki,
        "/etc/srv/kubernetes/pki/konnectivity-server/ca.crt": "ca",
        "/etc/srv/kubernetes/pki/konnectivity-server/server.crt": "server-cert",
        "/etc/srv/kubernetes/pki/konnectivity-server/server.key": { content: "server-key", mode: 0o600 },
        "/etc/srv/kubernetes/pki/konnectivity-agent/ca.crt": "ca",
        "/var/log/konnectivity-server.log": { content: "log", mode: 0o644 },
      },
    },
    agent: agent(
      ["--agent-cert=/etc/konnectivity/agent.crt", "--agent-key=/etc/konnectivity/agent.key"],
      { "/etc/konnectivity/agent.crt": "agent-cert", "/etc/konnectivity/agent.key": "agent-key" },
    ),
    notes: "flags with empty values; `destHost` by the node's address; the agent has a certificate and a token",
  },
  {
    rows: ["S3", "A1"],
    distribution: "Kubernetes on GCE, not as root",
    source: `${source}/manifests/konnectivity-server.yaml`,
    mode: "grpc",
    frontend: { uds: socket, group: 2003 },
    agents: "token",
    api: "tokens",
    server: {
      ...grpcServer,
      user: { uid: 2001, gid: 2002, groups: [2004] },
      dropsCapabilities: true,
      noNewPrivileges: true,
      files: {
        "/etc/srv/kubernetes/pki/apiserver.crt": "server-cert",
        "/etc/srv/kubernetes/pki/apiserver.key": {
          content: "server-key",
          owner: { uid: 0, gid: 2004 },
          mode: 0o640,
        },
        // kube-apiserver is in the folder's group, which the socket gets by the folder's setgid bit.
        [folder]: { content: "folder", owner: { uid: 2001, gid: 2003 }, mode: 0o2770 },
        [`${folder}/kubeconfig`]: {
          content: "kubeconfig-insecure-token",
          owner: { uid: 2001, gid: 2002 },
          mode: 0o600,
        },
        "/var/log/konnectivity-server.log": { content: "log", owner: { uid: 2001, gid: 0 }, mode: 0o644 },
      },
    },
    agent: agent([]),
    notes: "a user without a name, all capabilities dropped; the socket is the group's of its setgid folder",
  },
];
