import { bool, type FlagValues, helpFlags, inGroup, string } from "../../flags/flag.ts";
import { type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import type { CertificateTreeOptions } from "./certificate_tree.ts";

/** `certs` and its flags. */
export const certsProgram: Program = {
  name: "certs",
  summary:
    "Makes the certificates that the examples use: one authority for proxy-server and its clients, one for proxy-server " +
    "and its agents, each with a server and a client certificate that last for ten years. Files that are there and good " +
    "are left alone.",
  flags: [
    ...inGroup("Certificates", [
      { name: "dir", type: string, default: "certs", since: "ours", help: "folder to make them in" },
      {
        name: "server-ip",
        type: string,
        default: "127.0.0.1",
        since: "ours",
        help: "IP address by which agents reach proxy-server",
      },
      {
        name: "force",
        type: bool,
        default: "false",
        since: "ours",
        help: "replace all authorities, keys, certificates",
      },
    ]),
    ...helpFlags,
  ],
};

/** Parses the command line of `certs`. */
export function parseCertsFlags(args: readonly string[]): ParsedFlags<CertificateTreeOptions> {
  return parseProgramFlags(certsProgram, args, toOptions);
}

function toOptions(values: FlagValues): CertificateTreeOptions {
  return { dir: values.string("dir"), serverIp: values.string("server-ip"), force: values.bool("force") };
}
