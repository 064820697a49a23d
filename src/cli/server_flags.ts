import { timerMs } from "./duration.ts";
import { bool, choice, duration, type FlagValues, float32, helpFlags, inGroup, int, string, strings } from "./flag.ts";
import { klogFlags, loggingOptions } from "./klog_flags.ts";
import { type Env, type ParsedFlags, parseProgramFlags, type Program } from "./program.ts";
import type { ServerOptions } from "./server_options.ts";
import { adminFlags, kubeApiContentTypeFlag } from "./shared_flags.ts";

/** proxy-server and its flags. */
export const serverProgram: Program = {
  name: "proxy-server",
  summary: "The Konnectivity proxy server: takes connections from clients such as kube-apiserver and tunnels each " +
    "through one of the agents that are connected to it.",
  flags: [
    ...inGroup("Frontend, where clients connect", [
      {
        name: "mode",
        type: string,
        default: "grpc",
        help: "what clients speak: grpc (ProxyService) or http-connect (HTTP CONNECT)",
      },
      {
        name: "uds-name",
        type: string,
        default: "",
        help: "path of a Unix socket to listen on instead of TCP; needs --server-port=0 and no --server-* certificates",
      },
      {
        name: "delete-existing-uds-file",
        type: bool,
        default: "true",
        help: "remove a socket file that an earlier run left at --uds-name",
      },
      {
        name: "server-port",
        type: int,
        default: "8090",
        help: "TCP port for clients, 1024 to 49151; 0 with --uds-name",
      },
      {
        name: "server-bind-address",
        type: string,
        default: "",
        help: "address to listen on for clients; empty means all",
      },
      { name: "server-cert", type: string, default: "", help: "PEM file with the certificate shown to clients" },
      { name: "server-key", type: string, default: "", help: "PEM file with the key of --server-cert" },
      {
        name: "server-ca-cert",
        type: string,
        default: "",
        help: "PEM file with the CAs that clients' certificates must come from; needed on TCP",
      },
      {
        name: "frontend-keepalive-time",
        type: duration,
        default: "1h0m0s",
        help: "ping a gRPC client's connection that was silent this long; 0 means never",
      },
    ]),
    ...inGroup("Agents", [
      { name: "agent-port", type: int, default: "8091", help: "TCP port for agents, 1024 to 49151" },
      {
        name: "agent-bind-address",
        type: string,
        default: "",
        help: "address to listen on for agents; empty means all",
      },
      { name: "cluster-cert", type: string, default: "", help: "PEM file with the certificate shown to agents" },
      { name: "cluster-key", type: string, default: "", help: "PEM file with the key of --cluster-cert" },
      {
        name: "cluster-ca-cert",
        type: string,
        default: "",
        help: "PEM file with the CAs that agents' certificates must come from",
      },
      {
        name: "keepalive-time",
        type: duration,
        default: "10s",
        originalDefault: "1h0m0s",
        help:
          "ping an agent's link that was silent this long, so that a dead one is noticed within 30 s; 0 means never",
      },
      {
        name: "link-protocol",
        type: choice("auto", "grpc"),
        default: "auto",
        since: "ours",
        help: "auto takes the faster direct link with agents that offer it, grpc never does",
      },
      {
        name: "http2",
        type: choice("own", "runtime"),
        default: "own",
        since: "ours",
        help: "what speaks HTTP/2 under the gRPC services: this project's own code, which is faster, or the runtime's",
      },
      {
        name: "proxy-strategies",
        type: string,
        default: "default",
        help:
          "comma list of how an agent is chosen, the first that finds one wins: default (any agent), destHost (an " +
          "agent whose identifiers name the destination), defaultRoute (an agent with default-route=true)",
      },
      {
        name: "backend-dial-timeout",
        type: duration,
        default: "30s",
        originalDefault: "0s",
        help: "how long an agent may take to answer a dial before the dial, not the link, fails; 0 means for ever",
      },
      {
        name: "xfr-channel-size",
        type: int,
        default: "10",
        help: "accepted for compatibility: queues are bounded in bytes instead of packets",
      },
      {
        name: "warn-on-channel-limit",
        type: bool,
        default: "true",
        hidden: true,
        deprecated: "it has no effect and will be removed",
        help: "no effect",
      },
    ]),
    ...inGroup("Agent authentication", [
      {
        name: "agent-namespace",
        type: string,
        default: "",
        help:
          "namespace of the service account whose tokens agents must present; setting any of the three turns token " +
          "authentication on and needs them all",
      },
      { name: "agent-service-account", type: string, default: "", help: "name of that service account" },
      {
        name: "authentication-audience",
        type: string,
        default: "",
        help: "audience that the tokens must be made out to",
      },
      {
        name: "require-agent-cert-and-token",
        type: bool,
        default: "false",
        since: "ours",
        help: "ask agents for a certificate of --cluster-ca-cert and a token; without it the two exclude each other",
      },
      {
        name: "allow-unauthenticated-agents",
        type: bool,
        default: "false",
        since: "ours",
        help:
          "start although neither --cluster-ca-cert nor token authentication is set: whoever reaches the agent port " +
          "then receives clients' connections",
      },
    ]),
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
    ...inGroup("Several servers", [
      {
        name: "server-id",
        type: string,
        default: "",
        defaultText: "a random UUID",
        env: "PROXY_SERVER_ID",
        help: "what tells this server from its siblings",
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
    ...inGroup("Health and admin", [
      { name: "health-port", type: int, default: "8092", help: "TCP port of /healthz, /readyz and /metrics" },
      { name: "health-bind-address", type: string, default: "", help: "address of the health port; empty means all" },
      { name: "admin-port", type: int, default: "8095", help: "TCP port of /metrics and, when enabled, /debug/pprof" },
      ...adminFlags,
    ]),
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
};

/** Parses the command line of proxy-server. */
export function parseServerFlags(args: readonly string[], env: Env): ParsedFlags<ServerOptions> {
  return parseProgramFlags(serverProgram, args, (values) => toOptions(values, env));
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
    agentPort: values.number("agent-port"),
    agentBindAddress: values.string("agent-bind-address"),
    adminPort: values.number("admin-port"),
    adminBindAddress: values.string("admin-bind-address"),
    healthPort: values.number("health-port"),
    healthBindAddress: values.string("health-bind-address"),
    keepaliveTimeMs: timerMs(values.number("keepalive-time")),
    frontendKeepaliveTimeMs: timerMs(values.number("frontend-keepalive-time")),
    enableProfiling: values.bool("enable-profiling"),
    enableContentionProfiling: values.bool("enable-contention-profiling"),
    serverId: values.given("server-id") ? values.string("server-id") : env("PROXY_SERVER_ID") || crypto.randomUUID(),
    serverCount: values.number("server-count"),
    workers: values.number("workers"),
    agentNamespace: values.string("agent-namespace"),
    agentServiceAccount: values.string("agent-service-account"),
    authenticationAudience: values.string("authentication-audience"),
    requireAgentCertAndToken: values.bool("require-agent-cert-and-token"),
    allowUnauthenticatedAgents: values.bool("allow-unauthenticated-agents"),
    kubeconfig: values.string("kubeconfig"),
    kubeconfigQps: values.number("kubeconfig-qps"),
    kubeconfigBurst: values.number("kubeconfig-burst"),
    kubeApiContentType: values.string("kube-api-content-type"),
    proxyStrategies: values.string("proxy-strategies"),
    cipherSuites: values.list("cipher-suites"),
    tlsMinVersion: values.string("tls-min-version"),
    xfrChannelSize: values.number("xfr-channel-size"),
    enableLeaseController: values.bool("enable-lease-controller"),
    leaseNamespace: values.string("lease-namespace"),
    leaseLabel: values.string("lease-label"),
    gracefulShutdownTimeoutMs: timerMs(values.number("graceful-shutdown-timeout")),
    backendDialTimeoutMs: timerMs(values.number("backend-dial-timeout")),
    warnOnChannelLimit: values.bool("warn-on-channel-limit"),
    linkProtocol: values.string("link-protocol") === "grpc" ? "grpc" : "auto",
    http2: values.string("http2") === "runtime" ? "runtime" : "own",
    logging: loggingOptions(values),
  };
}
