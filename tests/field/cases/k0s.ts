import { controlPlaneIp, type FieldCase, type FieldProbe, root } from "../field_case.ts";

const data = "/var/lib/k0s";
/** The suites that k0s allows; Go knows them as secure. */
const suites = ["ECDSA", "RSA"].flatMap((key) =>
  ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"].map((rest) =>
    `TLS_ECDHE_${key}_WITH_${rest}`
  )
).join(",");

function serverOf(...last: readonly string[]): FieldCase["server"] {
  return {
    command: [
      "/proxy-server",
      `--kubeconfig=${data}/pki/konnectivity.conf`,
      "--v=1",
      `--cipher-suites=${suites}`,
      "--mode=grpc",
      "--agent-service-account=konnectivity-agent",
      "--delete-existing-uds-file=true",
      "--authentication-audience=system:konnectivity-server",
      "--enable-profiling=false",
      "--agent-port=8132",
      "--agent-namespace=kube-system",
      "--stderrthreshold=1",
      `--cluster-key=${data}/pki/server.key`,
      "--uds-name=/run/k0s/konnectivity-server/konnectivity-server.sock",
      `--cluster-cert=${data}/pki/server.crt`,
      "--admin-port=8133",
      "--server-id=5f0c1e64b7a2490fb1d7c3a98e21d0465f0c1e64b7a2490fb1d7c3a98e21d046",
      "--server-port=0",
      "--logtostderr=true",
      "--proxy-strategies=destHost,default",
      ...last,
    ],
    // A system user of its own, whose group its files are not.
    user: { uid: 997, gid: 997 },
    files: {
      [`${data}/pki/konnectivity.conf`]: {
        content: "kubeconfig-relative",
        owner: { uid: 997, gid: 0 },
        mode: 0o600,
      },
      [`${data}/pki/ca.crt`]: "ca",
      [`${data}/pki/konnectivity.crt`]: "user-cert",
      [`${data}/pki/konnectivity.key`]: { content: "user-key", owner: { uid: 997, gid: 0 }, mode: 0o640 },
      [`${data}/pki/server.crt`]: "server-cert",
      [`${data}/pki/server.key`]: { content: "server-key", owner: { uid: 997, gid: 0 }, mode: 0o640 },
      "/run/k0s/konnectivity-server": { content: "folder", owner: { uid: 997, gid: 0 }, mode: 0o755 },
    },
    // k0s looks after a process, and asks no probe.
    healthPort: 8092,
  };
}

function agentOf(env: Readonly<Record<string, string>>, ...more: readonly string[]): FieldCase["agent"] {
  const asked: FieldProbe = { path: "/healthz", port: 8093, initialDelaySeconds: 15, timeoutSeconds: 15 };
  return {
    // The image's own entry point: the manifest names arguments alone.
    command: [
      "/proxy-agent",
      "--logtostderr=true",
      "--ca-cert=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
      `--proxy-server-host=${controlPlaneIp}`,
      "--proxy-server-port=8132",
      "--service-account-token-path=/var/run/secrets/tokens/konnectivity-agent-token",
      "--agent-identifiers=host=$(NODE_IP)",
      "--agent-id=$(NODE_IP)",
      ...more,
    ],
    env: { NODE_IP: "10.0.0.2", ...env },
    user: { uid: 65_532, gid: 65_532, groups: [0] },
    dropsCapabilities: true,
    noNewPrivileges: true,
    readOnlyRootFilesystem: true,
    files: {
      "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "ca",
      "/var/run/secrets/kubernetes.io/serviceaccount/token": { content: "api-token", mode: 0o640 },
      "/var/run/secrets/tokens/konnectivity-agent-token": { content: "token", mode: 0o640 },
    },
    liveness: asked,
    readiness: { ...asked, path: "/readyz" },
    healthPort: 8093,
  };
}

const base = {
  mode: "grpc",
  frontend: { uds: "/run/k0s/konnectivity-server/konnectivity-server.sock" },
  agents: "token",
  source: "k0sproject/k0s pkg/component/controller",
} as const;

/** k0s, with a count of servers, with leases, and with the flags of its fork. */
export const k0s: readonly FieldCase[] = [
  {
    ...base,
    rows: ["S8", "A6"],
    distribution: "k0s",
    api: "tokens",
    server: serverOf("--server-count", "1"),
    agent: agentOf({ K0S_CONTROLLER_COUNT: "1" }),
    notes: "a list of suites; a kubeconfig with names of files beside it; the count as a word of its own, last; no " +
      "health port given; the agent's id and host are the node's address",
  },
  {
    ...base,
    rows: ["S9"],
    distribution: "k0s with leases",
    api: "leases",
    server: serverOf("--enable-lease-controller"),
    agent: agentOf(
      { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "6443" },
      "--count-server-leases=true",
    ),
    notes: "no count is given: agents count the servers' leases with what a pod has",
  },
  {
    ...base,
    rows: ["A7"],
    distribution: "k0s, flags of its fork",
    api: "none",
    server: { ...serverOf(), user: root },
    agent: agentOf({}, "--bind-address=$(NODE_IP)", "--apiserver-port-mapping=6443:localhost:6443"),
    refusal: { of: "agent", says: "unknown flag: --bind-address", original: "refuses" },
    notes: "the fork's way from nodes to the control plane, which the original never had",
  },
];
