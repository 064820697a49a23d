import { bool, duration, type FlagValues, helpFlags, inGroup, int, string, strings } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import type { Program } from "../../../flags/program.ts";
import { bareHost, type HostPort, parseHostPort } from "../../../wire/destination/host_port.ts";
import { adminFlag, adminUrl, usualAdminUrls } from "../admin_flag.ts";
import { type CheckOptions, checkProgram } from "../check/check_command.ts";

/** What is gathered, and where it is written. */
export interface DiagOptions {
  /** Admin ports; all of them are asked. */
  readonly admin: readonly URL[];
  /** They are the usual ones: it is no fault where nothing listens at one of them. */
  readonly usual: boolean;
  /** Health ports, where agents have their metrics. */
  readonly health: readonly HostPort[];
  /** Paths of log files. */
  readonly logs: readonly string[];
  /** Path of the archive; `-`: stdout. */
  readonly output: string;
  readonly eventSeconds: number;
  /** 0: no profile. */
  readonly cpuSeconds: number;
  readonly heap: boolean;
  /** What is checked, without the programs that run. */
  readonly check: CheckOptions;
  readonly timeoutMs: number;
}

/** The health port of an agent that is started without a flag about it. */
const usualHealthPort = 8093;

/** As `/debug/pprof/profile` takes them. */
const longestProfile = 300;
const longestEvents = 600;

/** What `check` takes besides a command line. */
const checkInputs: readonly string[] = ["filename", "egress-selector", "server-host", "audience"];

/** `konnectivity diag` and its flags. */
export const diagProgram: Program = {
  name: "konnectivity diag",
  ours: true,
  operands: "[server|agent -- FLAGS...]",
  summary:
    "Gathers in one .tar.gz what somebody needs who is to find out what is wrong: status, metrics and some seconds of " +
    "events of the programs that run, the ends of log files, versions, command lines without what is secret in them, and " +
    "what konnectivity check finds. It changes nothing. What cannot be had is named in missing.txt, and the rest is there.",
  flags: [
    ...inGroup("Who is asked", [
      {
        ...adminFlag,
        type: strings,
        defaultText: "http://127.0.0.1:8095 and http://127.0.0.1:8094, where something listens",
        help: "admin ports of programs that run, as URLs or HOST:PORT; may be repeated",
      },
      {
        name: "health",
        type: strings,
        default: "",
        defaultText: `port ${usualHealthPort} of each host of --admin`,
        help: "health ports of agents as HOST:PORT, where their metrics are; may be repeated",
      },
      { name: "timeout", type: duration, default: "10s", help: "how long a program may take for an answer" },
    ]),
    ...inGroup("What is gathered", [
      {
        name: "log",
        type: strings,
        default: "",
        help: "log files, of which the last 8 MiB are taken; may be repeated",
      },
      { name: "events", type: int, default: "5", help: "how many seconds of events are taken; 0 for none" },
      {
        name: "cpu",
        type: int,
        default: "0",
        help: "make a processor profile of so many seconds; the program needs --enable-profiling",
      },
      {
        name: "heap",
        type: bool,
        default: "false",
        help:
          "take a heap snapshot, WHICH HOLDS PRIVATE KEYS AND TOKENS IN CLEAR TEXT: hand it to nobody who may not have them; " +
          "the program stands still meanwhile, and needs --enable-profiling and --enable-heap-snapshots",
      },
    ]),
    ...checkProgram.flags.filter(({ name }) => checkInputs.includes(name)).map((flag) => ({
      ...flag,
      group: "What is checked",
    })),
    ...inGroup("Where it is written", [
      {
        name: "output",
        shorthand: "o",
        type: string,
        default: "konnectivity-diag.tar.gz",
        help: "path of the archive, which its owner alone may read; - for stdout. No file is overwritten",
      },
    ]),
    ...helpFlags,
  ],
  exitCodes: [
    [0, "all that was asked for is in the archive"],
    [1, "there is no archive: the command line is wrong, it cannot be written, or it was interrupted"],
    [2, "the archive is written, and something is missing: missing.txt says what and why"],
  ],
  examples: [
    ["konnectivity diag", "server and agent of this machine"],
    [
      "konnectivity diag --log /var/log/agent.log agent -- --ca-cert=ca.crt --proxy-server-host=s.example",
      "with the end of a log, and what is wrong with the command line",
    ],
    [
      "konnectivity diag --admin 127.0.0.1:9095 --cpu 30 -o /tmp/slow.tar.gz",
      "a server that is slow, behind kubectl port-forward konnectivity-server-0 9095:8095",
    ],
  ],
};

/** @throws {FlagError} */
export function diagOptions(values: FlagValues, operands: readonly string[]): DiagOptions {
  const fail = (message: string) => new FlagError("bad-operand", message);
  const [role, ...args] = operands;
  if (role !== undefined && role !== "server" && role !== "agent") {
    throw fail(
      `unexpected argument ${JSON.stringify(role)}: write server or agent, then --, then the flags of the program`,
    );
  }
  const timeoutMs = values.number("timeout");
  if (timeoutMs <= 0) throw fail("--timeout must be greater than 0");
  const within = (name: string, most: number) => {
    const value = values.number(name);
    if (value < 0 || value > most) throw fail(`--${name} must be from 0 to ${most}, got ${value}`);
    return value;
  };
  const usual = !values.given("admin");
  const admin = usual ? usualAdminUrls() : values.list("admin").map(adminUrl);
  const output = values.string("output");
  if (output === "" || output.endsWith("/")) throw fail(`-o ${JSON.stringify(output)} is no path of a file`);
  const heap = values.bool("heap");
  return {
    admin: [...new Map(admin.map((each) => [each.host, each])).values()],
    usual,
    health: [
      ...admin.map(({ hostname }) => ({ host: bareHost(hostname), port: usualHealthPort })),
      ...values.list("health").map((text) => {
        const parsed = parseHostPort(text);
        if (typeof parsed === "string") throw fail(`--health ${JSON.stringify(text)}: ${parsed}`);
        return parsed;
      }),
    ],
    logs: values.list("log"),
    output,
    eventSeconds: within("events", longestEvents),
    cpuSeconds: within("cpu", longestProfile),
    heap,
    check: {
      flags: role === undefined ? undefined : { role, args },
      manifest: values.string("filename"),
      adopt: "",
      admin: [],
      egressSelector: values.string("egress-selector"),
      serverHosts: values.list("server-host").map(bareHost),
      audience: values.string("audience"),
      output: "text",
      quiet: false,
      timeoutMs,
    },
    timeoutMs,
  };
}
