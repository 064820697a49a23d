import type { FlagValues } from "../../flags/flag.ts";
import { type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import { type CheckOptions, checkOptions, checkProgram } from "./check/check_command.ts";
import { completionProgram, completionShell, type Shell } from "./completion/completion_command.ts";
import { type DiagOptions, diagOptions, diagProgram } from "./diag/diag_command.ts";
import { type StatusOptions, statusOptions, statusProgram } from "./status/status_flags.ts";
import { type TapOptions, tapOptions, tapProgram } from "./tap/tap_command.ts";

/** What one of the program's subcommands is asked to do. */
export type KonnectivityCommand =
  | { readonly kind: "status"; readonly options: StatusOptions }
  | { readonly kind: "tap"; readonly options: TapOptions }
  | { readonly kind: "check"; readonly options: CheckOptions }
  | { readonly kind: "diag"; readonly options: DiagOptions }
  | { readonly kind: "completion"; readonly shell: Shell };

interface Subcommand {
  readonly program: Program;
  /** What it does, in some words, for the list of subcommands. */
  readonly brief: string;
  /** @throws FlagError for what cannot be */
  readonly toCommand: (values: FlagValues, operands: readonly string[]) => KonnectivityCommand;
}

const subcommands: ReadonlyMap<string, Subcommand> = new Map<string, Subcommand>([
  ["status", {
    program: statusProgram,
    brief: "what a server or an agent does, and what is wrong with it",
    toCommand: (values, operands) => ({ kind: "status", options: statusOptions(values, operands) }),
  }],
  ["tap", {
    program: tapProgram,
    brief: "dials, tunnels and links of a server or an agent, as they come and go",
    toCommand: (values, operands) => ({ kind: "tap", options: tapOptions(values, operands) }),
  }],
  ["check", {
    program: checkProgram,
    brief: "what is wrong with how they are set up, and what differs from the original",
    toCommand: (values, operands) => ({ kind: "check", options: checkOptions(values, operands) }),
  }],
  ["diag", {
    program: diagProgram,
    brief: "one archive with what somebody needs who is to find out what is wrong",
    toCommand: (values, operands) => ({ kind: "diag", options: diagOptions(values, operands) }),
  }],
  ["completion", {
    program: completionProgram,
    brief: "completions of all programs for bash, zsh or fish",
    toCommand: (_values, operands) => ({ kind: "completion", shell: completionShell(operands) }),
  }],
]);

/** The subcommands and their flags, by name, for completions and documents. */
export const konnectivityPrograms: ReadonlyMap<string, Program> = new Map(
  [...subcommands].map(([name, { program }]) => [name, program]),
);

/** What each subcommand does, in some words, by name. */
export const konnectivityBriefs: ReadonlyMap<string, string> = new Map(
  [...subcommands].map(([name, { brief }]) => [name, brief]),
);

/** What the program is for. */
export const konnectivitySummary =
  "Looks after proxy-server and proxy-agent: shows what they do, and finds what is wrong with how they are set up.";

function help(): string {
  const width = Math.max(...[...subcommands.keys()].map((name) => name.length));
  const lines = [...subcommands].map(([name, { brief }]) => `  ${name.padEnd(width)}  ${brief}`);
  return `${konnectivitySummary}

Usage:
  konnectivity SUBCOMMAND [flags]

Subcommands:
${lines.join("\n")}

"konnectivity SUBCOMMAND --help" explains each; "konnectivity --version" shows the version.
`;
}

const usage = `"konnectivity --help" lists the subcommands.\n`;

/** Parses the command line of `konnectivity`; never throws for what a user wrote. */
export function parseKonnectivityFlags(args: readonly string[]): ParsedFlags<KonnectivityCommand> {
  const [name, ...rest] = args;
  if (name === "--help" || name === "-h" || name === "help") return { kind: "help", text: help() };
  if (name === "--version") return { kind: "version" };
  const subcommand = name === undefined ? undefined : subcommands.get(name);
  if (subcommand !== undefined) return parseProgramFlags(subcommand.program, rest, subcommand.toCommand);
  const names = [...subcommands.keys()].join(", ");
  const message = name === undefined
    ? `a subcommand is needed, one of ${names}`
    : `unknown subcommand ${JSON.stringify(name)}, one of ${names} is needed`;
  return { kind: "error", message, usage, notices: [] };
}
