import { agentEvents } from "../../../ops/events/agent_event.ts";
import { serverEvents } from "../../../ops/events/server_event.ts";
import { bool, choice, duration, type FlagValues, helpFlags, inGroup, string, strings } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import type { Program } from "../../../flags/program.ts";
import { adminFlag, adminUrls, outputFlag } from "../admin_flag.ts";
import type { EventRequest } from "./read_events.ts";

/** Which events are shown, and how. */
export interface TapOptions extends EventRequest {
  /** Admin ports: the first where something listens is watched. */
  readonly admin: readonly URL[];
  readonly output: "text" | "json";
  /** It ends with the program, where it would wait for the next one. */
  readonly once: boolean;
}

/** Types of events that may be asked for, of either program. */
const types: readonly string[] = [...new Set<string>([...serverEvents.types, ...agentEvents.types])];

/** Parameters of `/events` that are flags here. */
const filterNames = ["agent", "server", "client", "destination", "outcome"] as const;

/** `konnectivity tap` and its flags. */
export const tapProgram: Program = {
  name: "konnectivity tap",
  ours: true,
  summary:
    "Shows what a proxy-server or proxy-agent does while it does it, by its admin port: a line for each dial and what came " +
    "of it, for each tunnel that ends, for links that come and go. When the program is restarted it goes on with the next " +
    "one. It holds nobody up: what it cannot read in time is lost, and it says how much.",
  flags: [
    ...inGroup("What is asked", [
      adminFlag,
      { name: "timeout", type: duration, default: "10s", help: "how long the program may take for its first event" },
      {
        name: "once",
        type: bool,
        default: "false",
        help: "end when the program ends, and do not wait for the next one",
      },
    ]),
    ...inGroup("What is shown", [
      { ...outputFlag, help: "for people; or each event as it came, a line of JSON each" },
      {
        name: "type",
        type: strings,
        default: "",
        defaultText: "all",
        help: `only events of these types: ${types.join(", ")}`,
      },
      { name: "agent", type: string, default: "", help: "only events of the agent with this id; of a server" },
      { name: "server", type: string, default: "", help: "only events of the server with this id; of an agent" },
      {
        name: "client",
        type: string,
        default: "",
        help: "only dials and ends of tunnels of clients whose name or address holds this text; of a server",
      },
      {
        name: "destination",
        type: string,
        default: "",
        help: "only dials and ends of tunnels whose destination holds this text",
      },
      {
        name: "outcome",
        type: choice("ok", "failed"),
        default: "ok",
        defaultText: "both, and what is no dial",
        help: "only dials that came to this",
      },
    ]),
    ...helpFlags,
  ],
  exitCodes: [
    [
      0,
      "it was ended: by Ctrl-C or SIGTERM, or because nobody reads what it writes; with --once, the program has ended",
    ],
    [
      1,
      "it cannot watch: the command line is wrong, or nothing answers with events; with --once, the connection broke",
    ],
  ],
  examples: [
    ["konnectivity tap", "the server of this machine, or else its agent"],
    ["konnectivity tap --outcome failed --destination :10250", "dials of kubelets that fail"],
    [
      "konnectivity tap --type tunnel-closed -o json | jq 'select(.bytes.received > 1e9)'",
      "tunnels through which much has come",
    ],
  ],
};

/** @throws {FlagError} */
export function tapOptions(values: FlagValues, operands: readonly string[]): TapOptions {
  const [operand] = operands;
  if (operand !== undefined) {
    throw new FlagError("bad-operand", `unexpected argument ${JSON.stringify(operand)}: tap takes flags alone`);
  }
  const unknown = values.list("type").find((type) => !types.includes(type));
  if (unknown !== undefined) {
    throw new FlagError("bad-operand", `--type ${JSON.stringify(unknown)} must be one of: ${types.join(", ")}`);
  }
  const timeoutMs = values.number("timeout");
  if (timeoutMs <= 0) throw new FlagError("bad-operand", "--timeout must be greater than 0");
  const given = filterNames.filter((name) => values.given(name) && values.string(name) !== "");
  return {
    admin: adminUrls(values),
    output: values.string("output") === "json" ? "json" : "text",
    once: values.bool("once"),
    types: values.list("type"),
    filters: Object.fromEntries(given.map((name) => [name, values.string(name)])),
    timeoutMs,
  };
}
