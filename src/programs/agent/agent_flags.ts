import type { AgentOptions } from "./agent_options.ts";
import { entryHelp } from "../destination_flags.ts";
import { timerMs } from "../../flags/duration.ts";
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
} from "../../flags/flag.ts";
import { refusedBy } from "../refusals.ts";
import { klogFlags, loggingOptions } from "../klog_flags.ts";
import { checkLabelSelector } from "../../flags/label_selector.ts";
import { type Env, type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import { adminFlags, kubeApiContentTypeFlag } from "../../flags/shared_flags.ts";
import { bareHost } from "../../wire/destination/host_port.ts";

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
        help:
          "further ALPN protocols to offer, comma list, so that a load balancer can distinguish agents from other clients",
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
    ...inGroup("Age of links", [
      {
        name: "max-link-age",
        type: duration,
        default: "0s",
        since: "ours",
        help:
          "how old a link to a server may become, up to a tenth more by chance, before a new one takes its place, with " +
          "the certificate and token of that time; the old one ends with its last tunnel. 0 means for ever",
      },
    ]),
    ...inGroup("This agent", [
      {
        name: "agent-id",
        type: string,
        default: "",
        defaultText: "a random UUID",
        env: "PROXY_AGENT_ID",
        help: "the name of this agent among the agents of a server",
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
        help: "comma list of the only destinations that this agent dials; empty means any. " + entryHelp +
          ". What a client asks for is checked after it is resolved: a name by itself or by its addresses. Where all " +
          "entries are addresses and IPv4 ranges, for all ports or one, the permission sandbox enforces them too. The " +
          "agent's own ports, the servers' --agent-port and link-local addresses (169.254.0.0/16, fe80::/10) are " +
          "dialled only where an entry names the address itself: 127.0.0.1:8093, 169.254.20.10",
      },
      {
        name: "deny-destinations",
        type: strings,
        default: "",
        since: "ours",
        help:
          "comma list of destinations that this agent never dials, whatever --destinations says: the same entries. " +
          "A denied name is still reached by its address; deny that, too",
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
  refuses: refusedBy("proxy-agent"),
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
    enableHeapSnapshots: values.bool("enable-heap-snapshots"),
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
    maxLinkAgeMs: timerMs(values.number("max-link-age")),
    drainTimeoutMs: timerMs(values.number("drain-timeout")),
    destinations: values.list("destinations"),
    denyDestinations: values.list("deny-destinations"),
    logging: loggingOptions(values),
  };
}

/** An empty host means this machine, as in Go. */
function splitHosts(text: string): string[] {
  const hosts = text.split(",").map((host) => bareHost(host.trim())).filter((host) => host !== "");
  return hosts.length === 0 ? ["localhost"] : hosts;
}
