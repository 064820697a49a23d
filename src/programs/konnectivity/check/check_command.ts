import { bool, duration, type FlagValues, helpFlags, inGroup, string, strings } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import type { Program } from "../../../flags/program.ts";
import { bareHost } from "../../../wire/destination/host_port.ts";
import { adminFlag, adminUrls, outputFlag } from "../admin_flag.ts";

/** What is checked. */
export interface CheckOptions {
  /** Of a command line: whose it is. */
  readonly flags: { readonly role: "server" | "agent"; readonly args: readonly string[] } | undefined;
  /** Path of a manifest; empty: none. */
  readonly manifest: string;
  /** Path of a manifest or command line of the original; empty: nothing is taken over. */
  readonly adopt: string;
  /** Admin ports of a program that runs; empty: none is asked. */
  readonly admin: readonly URL[];
  readonly egressSelector: string;
  readonly serverHosts: readonly string[];
  readonly audience: string;
  readonly output: "text" | "json";
  readonly quiet: boolean;
  readonly timeoutMs: number;
}

/** `konnectivity check` and its flags. */
export const checkProgram: Program = {
  name: "konnectivity check",
  ours: true,
  operands: "[server|agent -- FLAGS...]",
  summary:
    "Finds what is wrong with how a proxy-server or proxy-agent is set up: from its command line, from a manifest, or of " +
    "one that runs. Each check is a line: ok, warning, failed, or skipped with the reason; what is wrong is told with what " +
    "to do and the chapter of the documents that explains it. It changes nothing, and makes nobody an agent.",
  flags: [
    ...inGroup("What is checked", [
      {
        name: "filename",
        shorthand: "f",
        type: string,
        default: "",
        help:
          "a Kubernetes manifest (Pod, Deployment, DaemonSet, StatefulSet, lists, several documents), a systemd unit, or a " +
          "file with a command line",
      },
      {
        ...adminFlag,
        defaultText: "nobody is asked",
        help: "admin port of a program that runs, as URL or HOST:PORT; with a command line, its own",
      },
      {
        name: "adopt",
        type: string,
        default: "",
        help:
          "the same kinds of files, of the original: says what will differ, what to edit, and in which order to roll out",
      },
      {
        name: "egress-selector",
        type: string,
        default: "",
        help: "kube-apiserver's EgressSelectorConfiguration, which is held against the servers' flags",
      },
    ]),
    ...inGroup("What is known besides", [
      {
        name: "server-host",
        type: strings,
        default: "",
        help:
          "names and addresses by which agents connect to the server, for its certificate; agents of the manifest say it",
      },
      {
        name: "audience",
        type: string,
        default: "",
        help: "what the server's --authentication-audience is, for agents' tokens; servers of the manifest say it",
      },
      { name: "timeout", type: duration, default: "10s", help: "how long each attempt to reach somebody may take" },
    ]),
    ...inGroup("What is shown", [
      outputFlag,
      { name: "quiet", shorthand: "q", type: bool, default: "false", help: "show only what is not ok" },
    ]),
    ...helpFlags,
  ],
  exitCodes: [
    [
      0,
      "nothing is wrong; what was skipped is not known. With --adopt: nothing but the program itself is to be replaced",
    ],
    [1, "it could not be checked: the command line is wrong, or a file cannot be read"],
    [2, "something failed, or there is a warning. With --adopt: something is to be edited"],
  ],
  examples: [
    [
      "konnectivity check agent -- --ca-cert=ca.crt --proxy-server-host=konnectivity.example",
      "an agent of this machine",
    ],
    [
      "konnectivity check -f konnectivity.yaml --egress-selector egress.yaml",
      "a server and its agents, each against the other and against kube-apiserver's configuration",
    ],
    ["konnectivity check --admin 127.0.0.1:8094 agent -- --count-server-leases --ca-cert=ca.crt", "an agent that runs"],
    [
      "konnectivity check --adopt /etc/kubernetes/manifests/konnectivity-server.yaml",
      "before it takes over from the original",
    ],
  ],
};

/** @throws {FlagError} */
export function checkOptions(values: FlagValues, operands: readonly string[]): CheckOptions {
  const [role, ...args] = operands;
  if (role !== undefined && role !== "server" && role !== "agent") {
    throw new FlagError(
      "bad-operand",
      `unexpected argument ${JSON.stringify(role)}: write server or agent, then --, then the flags of the program`,
    );
  }
  const options: CheckOptions = {
    flags: role === undefined ? undefined : { role, args },
    manifest: values.string("filename"),
    adopt: values.string("adopt"),
    admin: values.given("admin") ? adminUrls(values) : [],
    egressSelector: values.string("egress-selector"),
    serverHosts: values.list("server-host").map(bareHost),
    audience: values.string("audience"),
    output: values.string("output") === "json" ? "json" : "text",
    quiet: values.bool("quiet"),
    timeoutMs: values.number("timeout"),
  };
  if (options.timeoutMs <= 0) throw new FlagError("bad-operand", "--timeout must be greater than 0");
  if (options.adopt !== "" && (options.manifest !== "" || options.flags !== undefined || options.admin.length > 0)) {
    throw new FlagError(
      "bad-operand",
      "--adopt is about a file of the original alone: leave the command line, -f and --admin out",
    );
  }
  const nothing = options.flags === undefined && options.manifest === "" && options.adopt === "" &&
    options.admin.length === 0 && options.egressSelector === "";
  if (nothing) {
    throw new FlagError(
      "bad-operand",
      "nothing is to be checked: name a command line (server -- FLAGS or agent -- FLAGS), a manifest (-f), a program that " +
        "runs (--admin), or --egress-selector",
    );
  }
  return options;
}
