import { bool, type FlagValues, helpFlags, inGroup, string } from "../../flags/flag.ts";
import { type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";

/** The configuration of `demo`. */
export interface DemoOptions {
  /** Folder of the certificates; they are made where there are none. */
  readonly certs: string;
  /** Leave everything running after the requests, until a signal. */
  readonly keep: boolean;
}

/** `demo` and its flags. */
export const demoProgram: Program = {
  name: "demo",
  summary:
    "Shows that it works: starts http-test-server, and a proxy-server with a proxy-agent for each kind of frontend, as " +
    "processes on free ports under their permission sets, and sends one request through each frontend.",
  flags: [
    ...inGroup("Demo", [
      {
        name: "keep",
        type: bool,
        default: "false",
        since: "ours",
        help: "leave everything running until Ctrl-C, and print commands to try",
      },
      {
        name: "certs",
        type: string,
        default: "certs",
        since: "ours",
        help: "folder of the certificates, which are made where there are none",
      },
    ]),
    ...helpFlags,
  ],
};

/** Parses the command line of `demo`. */
export function parseDemoFlags(args: readonly string[]): ParsedFlags<DemoOptions> {
  return parseProgramFlags(demoProgram, args, toOptions);
}

function toOptions(values: FlagValues): DemoOptions {
  return { certs: values.string("certs"), keep: values.bool("keep") };
}
