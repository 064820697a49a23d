import { controlPlaneIp, type FieldCase, type FieldProgram, nodeIp } from "../field_case.ts";

const secured = { dropsCapabilities: true, noNewPrivileges: true, readOnlyRootFilesystem: true } as const;

function server(...tls: readonly string[]): FieldProgram {
  return {
    command: [
      "/proxy-server",
      "--server-count=1",
      "--proxy-strategies=destHost",
      "--server-ca-cert=/etc/server-ca-pki/ca.crt",
      "--server-cert=/etc/server-pki/tls.crt",
      "--server-key=/etc/server-pki/tls.key",
      "--cluster-ca-cert=/etc/server-ca-pki/ca.crt",
      "--cluster-cert=/etc/agent-pki/tls.crt",
      "--cluster-key=/etc/agent-pki/tls.key",
      ...tls,
    ],
    ...secured,
    files: {
      "/etc/server-ca-pki/ca.crt": "ca",
      "/etc/server-pki/tls.crt": "server-cert",
      "/etc/server-pki/tls.key": "server-key",
      "/etc/agent-pki/tls.crt": "server-cert",
      "/etc/agent-pki/tls.key": "server-key",
    },
    healthPort: 8092,
  };
}

/** The add-on's agent announces the cluster under three names, and whoever asks for one of them is led to it. */
const cluster = ["cluster-proxy-0d41ae9c", "cluster1", "cluster1.open-cluster-management-agent-addon"];
const agent: FieldProgram = {
  command: [
    "/proxy-agent",
    `--proxy-server-host=konnectivity.example.com`,
    "--proxy-server-port=443",
    `--agent-identifiers=${cluster.map((name) => `host=${name}`).join("&")}`,
    "--ca-cert=/etc/ca/ca.crt",
    "--agent-cert=/etc/tls/tls.crt",
    "--agent-key=/etc/tls/tls.key",
  ],
  env: {
    HTTP_PROXY: `http://${nodeIp}:3128`,
    HTTPS_PROXY: `http://${nodeIp}:3128`,
    NO_PROXY: "10.96.0.0/12,.svc",
  },
  ...secured,
  files: { "/etc/ca/ca.crt": "ca", "/etc/tls/tls.crt": "agent-cert", "/etc/tls/tls.key": "agent-key" },
  // Services of the managed cluster, which its own DNS knows.
  hosts: Object.fromEntries(cluster.map((name) => [name, nodeIp])),
  memoryLimitMi: 200,
  healthPort: 8093,
};

const base = {
  source: "open-cluster-management-io/cluster-proxy pkg/proxyserver/controllers, charts/addon-agent",
  mode: "grpc",
  frontend: { port: 8090 },
  agents: "certificate",
  api: "none",
  agent,
  destination: "cluster1",
  throughProxy: "konnectivity.example.com:443",
} as const;
/** Without a proxy: the agent's host is the server's service. */
const direct = {
  ...base,
  agent: {
    ...agent,
    command: agent.command.map((word) => word.startsWith("--proxy-server-port") ? "--proxy-server-port=8091" : word),
    env: {},
    hosts: { ...agent.hosts, "konnectivity.example.com": controlPlaneIp },
  },
} as const;
const { throughProxy: _, ...withoutProxy } = direct;

/** What Mozilla calls intermediate, in Go's names. */
const intermediate = ["ECDSA", "RSA"].flatMap((key) =>
  ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"].map((rest) =>
    `TLS_ECDHE_${key}_WITH_${rest}`
  )
).join(",");

/** Open Cluster Management's cluster-proxy. */
export const openClusterManagement: readonly FieldCase[] = [
  {
    ...base,
    rows: ["S10", "A8"],
    distribution: "Open Cluster Management",
    server: server(),
    notes: "gRPC over TCP; `destHost` by three names of the managed cluster; default ports; an HTTP proxy on the way",
  },
  {
    ...withoutProxy,
    rows: ["S11"],
    distribution: "Open Cluster Management, TLS profile Intermediate",
    server: server(`--cipher-suites=${intermediate}`, "--tls-min-version=VersionTLS12"),
    notes: "the suites and the version of OpenShift's profile",
  },
  {
    ...withoutProxy,
    rows: ["S12"],
    distribution: "Open Cluster Management, TLS profile with CBC",
    server: server(`--cipher-suites=${intermediate},TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA`),
    notes:
      "suites with CBC are left out with a warning: the runtime has none, and the original never chooses them over " +
      "gRPC, since HTTP/2 forbids them",
  },
];
