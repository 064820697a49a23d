import { bool, duration, type Flag, inGroup, int, string, strings } from "../../flags/flag.ts";
import { clientDestinations, entryHelp } from "../destination_flags.ts";

/** How clients connect to proxy-server, and which destinations they may ask for. */
export const frontendFlags: readonly Flag[] = [
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
      name: "client-allowed-names",
      type: strings,
      default: "",
      since: "ours",
      help: "comma list of the only names whose certificates are clients: common names, DNS names, addresses, or " +
        "URIs such as spiffe://cluster.local/ns/x/*; * stands for anything but a dot (in a URI: a slash), at the end " +
        "for everything; empty means every certificate of --server-ca-cert",
    },
    {
      name: "frontend-write-channel-size",
      type: int,
      default: "10",
      since: "ours",
      help:
        "accepted for compatibility with the original's next release: queues are bounded in bytes instead of packets",
    },
    {
      name: "frontend-keepalive-time",
      type: duration,
      default: "1h0m0s",
      help: "ping a gRPC client's connection that was silent this long; 0 means never",
    },
  ]),
  ...inGroup("What clients may reach", [
    {
      name: "destinations",
      type: strings,
      default: "",
      since: "ours",
      help: "comma list of the only destinations that clients may ask for; empty means any. " + entryHelp +
        ". The server resolves nothing: a name is compared with names, and only an address that is asked for as such " +
        "with ranges; the agent's --destinations judges what names lead to",
    },
    {
      name: "deny-destinations",
      type: strings,
      default: "",
      since: "ours",
      help:
        "comma list of destinations that clients may not ask for, whatever the other lists say: the same entries. " +
        "A denied range keeps nobody from a name that leads there; give it to the agents' --deny-destinations, too",
    },
    {
      name: "client-destinations",
      type: clientDestinations,
      default: "",
      since: "ours",
      help:
        "what each client may ask for, by a name of its certificate as in --client-allowed-names: NAME=DESTINATION, " +
        "further destinations of NAME behind commas, then the next NAME=; give it again to add. Where it is given, a " +
        "client that no NAME fits reaches nothing; * fits every client: " +
        "--client-destinations='kube-apiserver=*,monitoring=10.0.0.0/8:9100,*.svc:9090'. The other lists count as well",
    },
  ]),
];
