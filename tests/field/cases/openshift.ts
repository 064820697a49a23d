import { controlPlaneIp, type FieldCase, type FieldProbe, type FieldProgram, nodeIp, root } from "../field_case.ts";

const probe = (path: string, rest: Partial<FieldProbe>): FieldProbe => ({
  path,
  port: 2041,
  timeoutSeconds: 5,
  ...rest,
});

/** A sidecar of kube-apiserver; the old Deployment of its own has the same arguments. */
const server: FieldProgram = {
  command: [
    "/usr/bin/proxy-server",
    "--logtostderr=true",
    "--log-file-max-size=0",
    "--cluster-cert",
    "/etc/konnectivity/cluster/tls.crt",
    "--cluster-key",
    "/etc/konnectivity/cluster/tls.key",
    "--server-cert",
    "/etc/konnectivity/server/tls.crt",
    "--server-key",
    "/etc/konnectivity/server/tls.key",
    "--server-ca-cert",
    "/etc/konnectivity/ca/ca.crt",
    "--server-port",
    "8090",
    "--agent-port",
    "8091",
    "--health-port",
    "2041",
    "--admin-port=8093",
    "--mode=http-connect",
    "--proxy-strategies=destHost,defaultRoute",
    "--keepalive-time",
    "30s",
    "--frontend-keepalive-time",
    "30s",
  ],
  // OpenShift gives each namespace users of its own, in the group 0.
  user: { uid: 1_000_680_000, gid: 0 },
  files: {
    "/etc/konnectivity/cluster/tls.crt": { content: "server-cert", mode: 0o640 },
    "/etc/konnectivity/cluster/tls.key": { content: "server-key", mode: 0o640 },
    "/etc/konnectivity/server/tls.crt": { content: "server-cert", mode: 0o640 },
    "/etc/konnectivity/server/tls.key": { content: "server-key", mode: 0o640 },
    "/etc/konnectivity/ca/ca.crt": "ca",
  },
  liveness: probe("healthz", { initialDelaySeconds: 120, periodSeconds: 60, timeoutSeconds: 30 }),
  readiness: probe("healthz", {}),
  // 95 in all, of which a hook before the signal takes 70.
  graceSeconds: 25,
  healthPort: 2041,
};

const agentFiles = {
  "/etc/konnectivity/ca/ca.crt": { content: "ca", mode: 0o640, owner: { uid: 1000, gid: 0 } },
  "/etc/konnectivity/agent/tls.crt": { content: "agent-cert", mode: 0o640, owner: { uid: 1000, gid: 0 } },
  "/etc/konnectivity/agent/tls.key": { content: "agent-key", mode: 0o640, owner: { uid: 1000, gid: 0 } },
} as const;

function agent(host: string, port: string, ...more: readonly string[]): FieldProgram {
  return {
    command: [
      "/usr/bin/proxy-agent",
      "--logtostderr=true",
      "--ca-cert",
      "/etc/konnectivity/ca/ca.crt",
      "--agent-cert",
      "/etc/konnectivity/agent/tls.crt",
      "--agent-key",
      "/etc/konnectivity/agent/tls.key",
      "--proxy-server-host",
      host,
      "--proxy-server-port",
      port,
      "--health-server-port",
      "2041",
      "--keepalive-time",
      "30s",
      "--probe-interval",
      "5s",
      "--sync-interval",
      "5s",
      "--sync-interval-cap",
      "30s",
      "--v",
      "3",
      ...more,
    ],
    user: { uid: 1000, gid: 0 },
    files: agentFiles,
    startup: probe("healthz", { periodSeconds: 5, failureThreshold: 60 }),
    liveness: probe("healthz", { periodSeconds: 30, failureThreshold: 6 }),
    readiness: probe("readyz", { periodSeconds: 30, failureThreshold: 1 }),
    healthPort: 2041,
  };
}

/** Nobody guards the port for agents: no authority for their certificates, and no tokens. */
const unguarded = {
  of: "server",
  says: "agents would not be authenticated: set --cluster-ca-cert",
  original: "runs",
  edit: { add: ["--cluster-ca-cert=/etc/konnectivity/ca/ca.crt"] },
} as const;
const unguardedEdit = "server: add `--cluster-ca-cert=/etc/konnectivity/ca/ca.crt`, which its agents' certificates " +
  "come from, as the project does since July 2026; or `--allow-unauthenticated-agents`";

/** HyperShift, and what OpenShift's own bootstrap has tried. */
export const openshift: readonly FieldCase[] = [
  {
    rows: ["S4", "A3"],
    distribution: "OpenShift HyperShift before July 2026, agents on nodes",
    source:
      "openshift/hypershift control-plane-operator v2/assets/kube-apiserver, hostedclusterconfigoperator konnectivity",
    mode: "http-connect",
    frontend: { port: 8090 },
    agents: "nobody",
    api: "none",
    server,
    agent: {
      ...agent("konnectivity.example.com", "443", "--agent-identifiers=default-route=true"),
      env: {
        HTTP_PROXY: `http://${nodeIp}:3128`,
        HTTPS_PROXY: `http://${nodeIp}:3128`,
        NO_PROXY: ".cluster.local,.svc,10.0.0.0/16,127.0.0.1,localhost",
      },
      dropsCapabilities: true,
      noNewPrivileges: true,
      readOnlyRootFilesystem: true,
    },
    throughProxy: "konnectivity.example.com:443",
    refusal: unguarded,
    edit: unguardedEdit,
    notes: "programs in /usr/bin; the agent's only way is an HTTP proxy; the server's hook before its end runs " +
      "`/bin/sh` and `sleep`, which our image lacks: `preStop.sleep` does the same since Kubernetes 1.30",
  },
  {
    rows: ["S4", "A3"],
    distribution: "OpenShift HyperShift, agents beside the control plane",
    source: "openshift/hypershift control-plane-operator v2/assets/konnectivity-agent",
    mode: "http-connect",
    frontend: { port: 8090 },
    agents: "certificate",
    api: "none",
    server: { ...server, command: [...server.command, "--cluster-ca-cert=/etc/konnectivity/ca/ca.crt"] },
    agent: {
      ...agent(
        "konnectivity-server",
        "8091",
        "--sync-forever",
        "--agent-identifiers",
        `ipv4=172.30.0.10&ipv4=${nodeIp}`,
      ),
      user: { uid: 1000, gid: 0 },
      hosts: { "konnectivity-server": controlPlaneIp },
    },
    notes: "several addresses as identifiers; the server as it is since July 2026",
  },
  {
    rows: ["S23"],
    distribution: "OpenShift bootstrap, first design: the server",
    source: "openshift installer, design of a bootstrap with Konnectivity",
    mode: "http-connect",
    frontend: { uds: "/etc/kubernetes/bootstrap-configs/konnectivity-server.socket" },
    agents: "nobody",
    api: "none",
    server: {
      command: [
        "/usr/bin/proxy-server",
        "--logtostderr=true",
        "--uds-name=/etc/kubernetes/bootstrap-configs/konnectivity-server.socket",
        "--agent-port",
        "8091",
        "--health-port",
        "2041",
        "--mode",
        "http-connect",
        "--proxy-strategies",
        "destHost,defaultRoute",
        "--keepalive-time",
        "30s",
        "--frontend-keepalive-time",
        "30s",
      ],
      user: root,
      files: { "/etc/kubernetes/bootstrap-configs": "folder" },
      healthPort: 2041,
    },
    agent: agent(controlPlaneIp, "8091", "--agent-identifiers=default-route=true"),
    refusal: { of: "server", says: "server port should be set to 0 not 8090 for UDS", original: "refuses" },
    notes: "a Unix socket without `--server-port=0`, and no certificates at all: the design was changed",
  },
  {
    rows: ["S23"],
    distribution: "OpenShift bootstrap, first design: the agent",
    source: "openshift installer, design of a bootstrap with Konnectivity",
    mode: "http-connect",
    frontend: { port: 8090 },
    agents: "nobody",
    api: "none",
    server,
    agent: {
      command: [
        "/usr/bin/proxy-agent",
        "--logtostderr=true",
        "--proxy-server-host",
        controlPlaneIp,
        "--proxy-server-port",
        "8091",
        "--health-server-port",
        "2041",
        "--agent-identifiers",
        "default-route=true",
        "--keepalive-time",
        "30s",
      ],
      user: root,
      files: {},
      healthPort: 2041,
    },
    refusal: { of: "agent", says: "ca cert must be set, servers are reached over TLS only", original: "refuses" },
    notes: "an agent without an authority for its server: there is no link without TLS",
  },
];
