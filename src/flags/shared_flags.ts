import { bool, type FlagEntry, string } from "./flag.ts";

/** Flags of the admin port that proxy-server and proxy-agent have alike; each names its port in its own way. */
export const adminFlags: readonly FlagEntry[] = [
  {
    name: "admin-bind-address",
    type: string,
    default: "127.0.0.1",
    help: "address of the admin port; empty means all",
  },
  {
    name: "enable-profiling",
    type: bool,
    default: "false",
    help: "serve profiles of the runtime on the admin port; where that is a loopback address, only to requests whose " +
      "Host is one",
  },
  {
    name: "enable-heap-snapshots",
    type: bool,
    default: "false",
    since: "ours",
    help:
      "serve heap snapshots, too, to requests whose Host is a loopback address: they hold private keys and tokens in " +
      "clear text; needs --enable-profiling",
  },
  {
    name: "enable-contention-profiling",
    type: bool,
    default: "false",
    help: "accepted with --enable-profiling; the runtime has no locks to profile",
  },
];

/** How the API that both ask about leases is spoken to. */
export const kubeApiContentTypeFlag: FlagEntry = {
  name: "kube-api-content-type",
  type: string,
  default: "application/vnd.kubernetes.protobuf",
  help: "accepted for compatibility: requests and answers are JSON",
};
