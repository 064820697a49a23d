import type { AgentOptions } from "./agent_options.ts";
import { timerMs } from "./duration.ts";
import {
  bool,
  choice,
  duration,
  type FlagType,
  type FlagValues,
  helpFlags,
  inGroup,
  int,
  string,
  strings,
} from "./flag.ts";
import { klogFlags, loggingOptions } from "./klog_flags.ts";
import { checkLabelSelector } from "./label_selector.ts";
import { type Env, type ParsedFlags, parseProgramFlags, type Program } from "./program.ts";
import { adminFlags, kubeApiContentTypeFlag } from "./shared_flags.ts";

const labelSelector: FlagType = { label: "string", parse: checkLabelSelector };

/** proxy-agent and its flags. */
export const agentProgram: Program = {
  name: "proxy-agent",
  summary: "The Konnectivity agent: connects to the proxy servers from inside the cluster network and dials the " +
    "destinations that their clients ask for.",
  flags: [
    ...inGroup("Proxy servers", [
      {
        name: "proxy-server-host",
        type: string,
        default: "127.0.0.1",
        help: "name or address of the proxy server; several, joined by commas, are all tried",
      },
      { name: "proxy-server-port", type: int, default: "8091", help: "the proxy servers' port for agents" },
      {
        name: "ca-cert",
        type: string,
        default: "",
        help: "PEM file with the CAs that servers' certificates must come from",
      },
      { name: "agent-cert", type: string, default: "", help: "PEM file with the certificate shown to servers" },
      { name: "agent-key", type: string, default: "", help: "PEM file with the key of --agent-cert" },
      {
        name: "service-account-token-path",
        type: string,
        default: "",
        help: "file with a token to show to servers, read anew for each connection",
      },
      {
        name: "alpn-proto",
        type: strings,
        default: "",
        help: "further ALPN protocols to offer, comma list, so that a load balancer can tell agents from other clients",
      },
      {
        name: "keepalive-time",
        type: duration,
        default: "10s",
        originalDefault: "1h0m0s",
        help:
          "ask a server that was silent this long for a sign of life, so that a dead link is noticed within 30 s; less " +
          "than 10s counts as 10s, 0 means never",
      },
      {
        name: "link-protocol",
        type: choice("auto", "grpc"),
        default: "auto",
        since: "ours",
        help: "auto offers the faster direct link to servers, grpc never does",
      },
    ]),
    ...inGroup("This agent", [
      {
        name: "agent-id",
        type: string,
        default: "",
        defaultText: "a random UUID",
        env: "PROXY_AGENT_ID",
        help: "what tells this agent from others",
      },
      {
        name: "agent-identifiers",
        type: string,
        default: "",
        help: "destinations that this agent stands for, as a URL query with the keys ipv4, ipv6, host, cidr and " +
          "default-route: ipv4=10.0.0.1&host=node1.example.com&default-route=true",
      },
      {
        name: "destinations",
        type: strings,
        default: "",
        since: "ours",
        help: "comma list of the only destinations that this agent dials: name, name:port, *.suffix, address, " +
          "address:port, IPv4 range (10.0.0.0/8), [IPv6]:port; empty means any. The permission sandbox enforces it",
      },
      {
        name: "xfr-channel-size",
        type: int,
        default: "150",
        help: "accepted for compatibility: queues are bounded in bytes instead of packets",
      },
      {
        name: "warn-on-channel-limit",
        type: bool,
        default: "false",
        help: "accepted for compatibility: a tunnel that has to wait is counted in the metrics",
      },
      {
        name: "drain-timeout",
        type: duration,
        default: "0s",
        since: "ours",
        help: "how long tunnels may run on after the first signal; 0 means until the last one ends",
      },
    ]),
    ...inGroup("Several servers", [
      {
        name: "sync-interval",
        type: duration,
        default: "1s",
        help: "how often to look whether there is a link to every server; grows while servers cannot be reached",
      },
      { name: "sync-interval-cap", type: duration, default: "10s", help: "what --sync-interval grows to at most" },
      { name: "probe-interval", type: duration, default: "1s", help: "how often to look whether the links are sound" },
      {
        name: "sync-forever",
        type: bool,
        default: "false",
        help: "go on looking for further servers when there is a link to each that was counted",
      },
      {
        name: "server-count-source",
        type: string,
        default: "default",
        help: "with --count-server-leases: default counts leases only, max takes the larger of the leases' and the " +
          "servers' own count",
      },
      {
        name: "count-server-leases",
        type: bool,
        default: "false",
        help: "count servers by their leases in the Kubernetes API",
      },
      {
        name: "lease-namespace",
        type: string,
        default: "kube-system",
        help: "namespace of the leases; empty means all",
      },
      {
        name: "lease-label-selector",
        type: labelSelector,
        default: "k8s-app=konnectivity-server",
        help: "which leases count, a Kubernetes label selector",
      },
      {
        name: "lease-label",
        type: labelSelector,
        default: "",
        aliasOf: "lease-label-selector",
        hidden: true,
        deprecated: "Use --lease-label-selector instead",
        help: "the same",
      },
    ]),
    ...inGroup("Kubernetes API", [
      {
        name: "kubeconfig",
        type: string,
        default: "",
        help: "kubeconfig file for counting leases; empty means the configuration of the pod",
      },
      kubeApiContentTypeFlag,
    ]),
    ...inGroup("Health and admin", [
      { name: "health-server-port", type: int, default: "8093", help: "TCP port of /healthz, /readyz and /metrics" },
      { name: "health-server-host", type: string, default: "", help: "address of the health port; empty means all" },
      {
        name: "admin-server-port",
        type: int,
        default: "8094",
        help: "TCP port of /metrics and, when enabled, /debug/pprof",
      },
      ...adminFlags,
    ]),
    ...klogFlags(4),
    ...helpFlags,
  ],
};

/** Parses the command line of proxy-agent. */
export function parseAgentFlags(args: readonly string[], env: Env): ParsedFlags<AgentOptions> {
  return parseProgramFlags(agentProgram, args, (values) => toOptions(values, env));
}

function toOptions(values: FlagValues, env: Env): AgentOptions {
  return {
    agentCert: values.string("agent-cert"),
    agentKey: values.string("agent-key"),
    caCert: values.string("ca-cert"),
    proxyServerHosts: splitHosts(values.string("proxy-server-host")),
    proxyServerPort: values.number("proxy-server-port"),
    alpnProto: values.list("alpn-proto"),
    healthServerHost: values.string("health-server-host"),
    healthServerPort: values.number("health-server-port"),
    adminBindAddress: values.string("admin-bind-address"),
    adminServerPort: values.number("admin-server-port"),
    enableProfiling: values.bool("enable-profiling"),
    enableContentionProfiling: values.bool("enable-contention-profiling"),
    agentId: values.given("agent-id") ? values.string("agent-id") : env("PROXY_AGENT_ID") || crypto.randomUUID(),
    agentIdentifiers: values.string("agent-identifiers"),
    syncIntervalMs: timerMs(values.number("sync-interval")),
    syncIntervalCapMs: timerMs(values.number("sync-interval-cap")),
    probeIntervalMs: timerMs(values.number("probe-interval")),
    keepaliveTimeMs: timerMs(values.number("keepalive-time")),
    serviceAccountTokenPath: values.string("service-account-token-path"),
    warnOnChannelLimit: values.bool("warn-on-channel-limit"),
    syncForever: values.bool("sync-forever"),
    xfrChannelSize: values.number("xfr-channel-size"),
    countServerLeases: values.bool("count-server-leases"),
    leaseNamespace: values.string("lease-namespace"),
    leaseLabelSelector: values.string("lease-label-selector"),
    serverCountSource: values.string("server-count-source"),
    kubeconfig: values.string("kubeconfig"),
    kubeApiContentType: values.string("kube-api-content-type"),
    linkProtocol: values.string("link-protocol") === "grpc" ? "grpc" : "auto",
    drainTimeoutMs: timerMs(values.number("drain-timeout")),
    destinations: values.list("destinations"),
    logging: loggingOptions(values),
  };
}

/** An empty host means this machine, as in Go. */
function splitHosts(text: string): string[] {
  const hosts = text.split(",").map((host) => host.trim().replace(/^\[(.*)\]$/, "$1")).filter((host) => host !== "");
  return hosts.length === 0 ? ["localhost"] : hosts;
}
