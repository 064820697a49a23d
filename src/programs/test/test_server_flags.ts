import { type FlagValues, helpFlags, inGroup, string, uint } from "../../flags/flag.ts";
import { klogFlags, loggingOptions } from "../klog_flags.ts";
import { type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import type { TestServerOptions } from "./test_options.ts";

/** http-test-server and its flags. */
export const testServerProgram: Program = {
  name: "http-test-server",
  summary:
    "A destination to test tunnels with: an HTTP server that answers /success, /sleep?time=SECONDS, /error and " +
    "/close.",
  flags: [
    ...inGroup("Server", [
      { name: "server-port", type: uint, default: "8000", help: "TCP port to listen on, 1024 to 49151" },
      {
        name: "server-bind-address",
        type: string,
        default: "127.0.0.1",
        since: "ours",
        help: "address to listen on, which the original's next release has as well; empty means all",
      },
      {
        name: "bind-address",
        type: string,
        default: "127.0.0.1",
        aliasOf: "server-bind-address",
        hidden: true,
        since: "ours",
        help: "the same",
      },
    ]),
    ...klogFlags(0),
    ...helpFlags,
  ],
};

/** Parses the command line of http-test-server. */
export function parseTestServerFlags(args: readonly string[]): ParsedFlags<TestServerOptions> {
  return parseProgramFlags(testServerProgram, args, toOptions);
}

function toOptions(values: FlagValues): TestServerOptions {
  return {
    serverPort: values.number("server-port"),
    bindAddress: values.string("server-bind-address"),
    logging: loggingOptions(values),
  };
}
