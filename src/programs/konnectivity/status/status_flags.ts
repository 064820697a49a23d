import { bool, duration, type FlagValues, helpFlags, inGroup, int, string } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import type { Program } from "../../../flags/program.ts";
import { adminFlag, adminUrls, outputFlag } from "../admin_flag.ts";

/** What is shown of a program's status, and how. */
export interface StatusOptions {
  /** Admin ports: the first where something listens is asked. */
  readonly admin: readonly URL[];
  readonly output: "text" | "json";
  readonly watch: boolean;
  /** Entries that are shown of each list. */
  readonly limit: number;
  /** As `/status` takes them; those that are not given are absent. */
  readonly filters: Readonly<Record<string, string>>;
  /** How long the program may take for each answer. */
  readonly timeoutMs: number;
}

/** Parameters of `/status` that choose what is shown, which are flags here. */
const filterNames = ["agent", "server", "client", "destination"] as const;

/** `konnectivity status` and its flags. */
export const statusProgram: Program = {
  name: "konnectivity status",
  ours: true,
  summary:
    "Shows what a proxy-server or proxy-agent does, by its admin port: what it is linked to, which tunnels are open, what " +
    "fails. Each line is Healthy, Degraded, Down or Inactive, and says what to do where it is Degraded or Down.",
  flags: [
    ...inGroup("What is asked", [
      adminFlag,
      { name: "timeout", type: duration, default: "10s", help: "how long the program may take for an answer" },
    ]),
    ...inGroup("What is shown", [
      outputFlag,
      {
        name: "watch",
        shorthand: "w",
        type: bool,
        default: "false",
        help: "show it again each second, until Ctrl-C; with -o json a line each",
      },
      { name: "limit", type: int, default: "10", help: "how many entries of each list are shown" },
      { name: "all", type: bool, default: "false", help: "show every entry, however many there are" },
      { name: "agent", type: string, default: "", help: "only what belongs to the agent with this id; of a server" },
      { name: "server", type: string, default: "", help: "only what belongs to the server with this id; of an agent" },
      {
        name: "client",
        type: string,
        default: "",
        help: "only tunnels and dials of clients whose name or address holds this text; of a server",
      },
      {
        name: "destination",
        type: string,
        default: "",
        help: "only tunnels and dials whose destination holds this text",
      },
    ]),
    ...helpFlags,
  ],
  exitCodes: [
    [0, "everything is Healthy or Inactive"],
    [1, "the status cannot be had: the command line is wrong, or nothing answers with a status"],
    [2, "something is Degraded or Down"],
  ],
  examples: [
    ["konnectivity status", "the server of this machine, or else its agent"],
    [
      "konnectivity status --admin http://127.0.0.1:9095 --destination :10250 --watch",
      "tunnels to kubelets, behind kubectl port-forward konnectivity-server-0 9095:8095",
    ],
  ],
};

/** @throws {FlagError} */
export function statusOptions(values: FlagValues, operands: readonly string[]): StatusOptions {
  const [operand] = operands;
  if (operand !== undefined) {
    throw new FlagError("bad-operand", `unexpected argument ${JSON.stringify(operand)}: status takes flags alone`);
  }
  const limit = values.number("limit");
  if (limit < 0) throw new FlagError("bad-operand", `--limit must be >= 0, got ${limit}`);
  const timeoutMs = values.number("timeout");
  if (timeoutMs <= 0) throw new FlagError("bad-operand", "--timeout must be greater than 0");
  return {
    admin: adminUrls(values),
    output: values.string("output") === "json" ? "json" : "text",
    watch: values.bool("watch"),
    limit: values.bool("all") ? Infinity : limit,
    filters: Object.fromEntries(
      filterNames.flatMap((name) => values.string(name) === "" ? [] : [[name, values.string(name)]]),
    ),
    timeoutMs,
  };
}
