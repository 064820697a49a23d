import { bool, choice, duration, type Flag, inGroup, int, string, strings } from "../../flags/flag.ts";

/** How agents connect to proxy-server, how one is chosen for a dial, and how agents authenticate. */
export const backendFlags: readonly Flag[] = [
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
      help: "ping an agent's link that was silent this long, so that a dead one is noticed within 30 s; 0 means never",
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
      help: "comma list of how an agent is chosen, the first that finds one wins: default (any agent), destHost (an " +
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
      help: "namespace of the service account whose tokens agents must present; setting any of the three turns token " +
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
      name: "agent-allowed-names",
      type: strings,
      default: "",
      since: "ours",
      help:
        "comma list of the only names whose certificates are agents, in the form of --client-allowed-names; empty " +
        "means every certificate of --cluster-ca-cert",
    },
    {
      name: "bind-identifiers",
      type: bool,
      default: "false",
      since: "ours",
      help: "refuse agents with an identifier that is not theirs: ipv4, ipv6 and host must be an address or DNS name " +
        "of their certificate, or the pod or node of their token; cidr and default-route need the URI " +
        "konnectivity:cidr/10.0.0.0/8 or konnectivity:default-route in the certificate",
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
];
