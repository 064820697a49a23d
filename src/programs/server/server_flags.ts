import { timerMs } from "../../flags/duration.ts";
import {
  bool,
  duration,
  type FlagValues,
  float32,
  helpFlags,
  inGroup,
  int,
  string,
  strings,
} from "../../flags/flag.ts";
import { refusedBy } from "../refusals.ts";
import { klogFlags, loggingOptions } from "../klog_flags.ts";
import { type Env, type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import { adminFlags, kubeApiContentTypeFlag } from "../../flags/shared_flags.ts";
import { backendFlags } from "./backend_flags.ts";
import { frontendFlags } from "./frontend_flags.ts";
import { probeFlags } from "./probes/probe_flags.ts";
import type { ServerOptions } from "./server_options.ts";

/** proxy-server and its flags. */
export const serverProgram: Program = {
  name: "proxy-server",
  summary: "The Konnectivity proxy server: takes connections from clients such as kube-apiserver and tunnels each " +
    "through one of the agents that are connected to it.",
  flags: [
    ...frontendFlags,
    ...backendFlags,
    ...inGroup("TLS of both listeners", [
      {
        name: "tls-min-version",
        type: string,
        default: "",
        help:
          "VersionTLS12 or VersionTLS13; empty means VersionTLS12, as do VersionTLS10 and VersionTLS11, which are " +
          "accepted with a warning",
      },
      {
        name: "cipher-suites",
        type: strings,
        default: "",
        help: "comma list of suites allowed on TLS 1.2, in Go's names (TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, …); " +
          "empty means all that the runtime has; TLS 1.3 is not affected",
      },
    ]),
    ...inGroup("Connections and their certificates", [
      {
        name: "close-revoked",
        type: bool,
        default: "false",
        since: "ours",
        help: "close each client's and agent's connection, with what is on it, within 10 s after its certificate has " +
          "ended, or --server-ca-cert or --cluster-ca-cert no longer holds its CA; false: it goes on until it ends by " +
          "itself",
      },
      {
        name: "max-link-age",
        type: duration,
        default: "0s",
        since: "ours",
        help:
          "how old an agent's link may become, up to a tenth more by chance: then it gets no new tunnels while there " +
          "is another agent, and is closed when its last tunnel has ended, at the latest at twice that age; 0 means for " +
          "ever. An agent connects anew at once; set it longer than --max-link-age of agents, who lose no tunnel by it",
      },
    ]),
    ...inGroup("Several servers", [
      {
        name: "server-id",
        type: string,
        default: "",
        defaultText: "a random UUID",
        env: "PROXY_SERVER_ID",
        help: "the name of this server among its siblings",
      },
      {
        name: "server-count",
        type: int,
        default: "1",
        help: "how many servers there are; agents hold a link to each",
      },
      {
        name: "workers",
        type: int,
        default: "1",
        since: "ours",
        help: "how many servers this command runs, 1 to 64, to use more than one processor: they share its ports or " +
          "socket, each has an id of its own, and --server-count, which counts commands, is multiplied by it",
      },
      {
        name: "enable-lease-controller",
        type: bool,
        default: "false",
        help: "publish a lease for this server and remove those of dead ones, so that agents can count servers",
      },
      { name: "lease-namespace", type: string, default: "kube-system", help: "namespace of the leases" },
      {
        name: "lease-label",
        type: string,
        default: "k8s-app=konnectivity-server",
        help: "labels of the leases, key=value pairs joined by commas",
      },
    ]),
    ...inGroup("Kubernetes API", [
      {
        name: "kubeconfig",
        type: string,
        default: "",
        help: "kubeconfig file for token reviews and leases; empty means the configuration of the pod",
      },
      { name: "kubeconfig-qps", type: float32, default: "0", help: "requests a second to the API; 0 means 5" },
      { name: "kubeconfig-burst", type: int, default: "0", help: "requests at once to the API; 0 means 10" },
      kubeApiContentTypeFlag,
    ]),
    ...inGroup("Audit", [
      {
        name: "audit-log",
        type: string,
        default: "",
        since: "ours",
        help:
          "file that gets a line of JSON for each dial and each end of a tunnel: who, to where, through which agent, " +
          "with what outcome, never what was sent; made with mode 0600, opened anew at SIGHUP; - means standard output, " +
          "empty none",
      },
    ]),
    ...inGroup("Health and admin", [
      { name: "health-port", type: int, default: "8092", help: "TCP port of /healthz, /readyz and /metrics" },
      { name: "health-bind-address", type: string, default: "", help: "address of the health port; empty means all" },
      { name: "admin-port", type: int, default: "8095", help: "TCP port of /metrics and, when enabled, /debug/pprof" },
      ...adminFlags,
      {
        name: "per-agent-metrics",
        type: int,
        default: "1000",
        since: "ours",
        help: "how many agents may be connected for metrics to have a series of each (backend_tunnels): with more of " +
          "them, a series each would make each scrape long, and there is none; 0 means never",
      },
    ]),
    ...probeFlags,
    ...inGroup("Shutdown", [
      {
        name: "graceful-shutdown-timeout",
        type: duration,
        default: "0s",
        help: "how long tunnels may run on after the first signal; 0 ends them at once",
      },
    ]),
    ...klogFlags(4),
    ...helpFlags,
  ],
  refuses: refusedBy("proxy-server"),
};

/** Parses the command line of proxy-server. */
export function parseServerFlags(args: readonly string[], env: Env): ParsedFlags<ServerOptions> {
  return parseProgramFlags(serverProgram, args, (values) => toOptions(values, env));
}

/** The default is no longer than the interval; what was given is checked against it. */
function probeTimeoutMs(values: FlagValues): number {
  const timeoutMs = timerMs(values.number("probe-timeout"));
  return values.given("probe-timeout") ? timeoutMs : Math.min(timeoutMs, values.number("probe-interval"));
}

function toOptions(values: FlagValues, env: Env): ServerOptions {
  return {
    serverCert: values.string("server-cert"),
    serverKey: values.string("server-key"),
    serverCaCert: values.string("server-ca-cert"),
    clusterCert: values.string("cluster-cert"),
    clusterKey: values.string("cluster-key"),
    clusterCaCert: values.string("cluster-ca-cert"),
    mode: values.string("mode"),
    udsName: values.string("uds-name"),
    deleteExistingUdsFile: values.bool("delete-existing-uds-file"),
    serverPort: values.number("server-port"),
    serverBindAddress: values.string("server-bind-address"),
    destinations: values.list("destinations"),
    denyDestinations: values.list("deny-destinations"),
    clientDestinations: values.list("client-destinations"),
    agentPort: values.number("agent-port"),
    agentBindAddress: values.string("agent-bind-address"),
    adminPort: values.number("admin-port"),
    adminBindAddress: values.string("admin-bind-address"),
    healthPort: values.number("health-port"),
    healthBindAddress: values.string("health-bind-address"),
    keepaliveTimeMs: timerMs(values.number("keepalive-time")),
    frontendKeepaliveTimeMs: timerMs(values.number("frontend-keepalive-time")),
    enableProfiling: values.bool("enable-profiling"),
    enableHeapSnapshots: values.bool("enable-heap-snapshots"),
    enableContentionProfiling: values.bool("enable-contention-profiling"),
    serverId: values.given("server-id") ? values.string("server-id") : env("PROXY_SERVER_ID") || crypto.randomUUID(),
    serverCount: values.number("server-count"),
    workers: values.number("workers"),
    agentNamespace: values.string("agent-namespace"),
    agentServiceAccount: values.string("agent-service-account"),
    authenticationAudience: values.string("authentication-audience"),
    requireAgentCertAndToken: values.bool("require-agent-cert-and-token"),
    allowUnauthenticatedAgents: values.bool("allow-unauthenticated-agents"),
    clientAllowedNames: values.list("client-allowed-names"),
    agentAllowedNames: values.list("agent-allowed-names"),
    bindIdentifiers: values.bool("bind-identifiers"),
    auditLog: values.string("audit-log"),
    probeDestinations: values.list("probe-destination"),
    probeIntervalMs: timerMs(values.number("probe-interval")),
    probeTimeoutMs: probeTimeoutMs(values),
    probeReadiness: values.bool("probe-readiness"),
    kubeconfig: values.string("kubeconfig"),
    kubeconfigQps: values.number("kubeconfig-qps"),
    kubeconfigBurst: values.number("kubeconfig-burst"),
    kubeApiContentType: values.string("kube-api-content-type"),
    proxyStrategies: values.string("proxy-strategies"),
    cipherSuites: values.list("cipher-suites"),
    tlsMinVersion: values.string("tls-min-version"),
    closeRevoked: values.bool("close-revoked"),
    maxLinkAgeMs: timerMs(values.number("max-link-age")),
    xfrChannelSize: values.number("xfr-channel-size"),
    frontendWriteChannelSize: values.number("frontend-write-channel-size"),
    enableLeaseController: values.bool("enable-lease-controller"),
    leaseNamespace: values.string("lease-namespace"),
    leaseLabel: values.string("lease-label"),
    gracefulShutdownTimeoutMs: timerMs(values.number("graceful-shutdown-timeout")),
    backendDialTimeoutMs: timerMs(values.number("backend-dial-timeout")),
    perAgentMetrics: values.number("per-agent-metrics"),
    warnOnChannelLimit: values.bool("warn-on-channel-limit"),
    linkProtocol: values.string("link-protocol") === "grpc" ? "grpc" : "auto",
    http2: values.string("http2") === "runtime" ? "runtime" : "own",
    logging: loggingOptions(values),
  };
}
