import type { Flag, FlagValues } from "./flag.ts";
import { FlagError } from "./flag_error.ts";
import { helpText, usageText } from "./help.ts";
import { parseArgs } from "./pflag.ts";

/** One of the programs: what help says about it, and its flags. */
export interface Program {
  /** As its binary is called. */
  readonly name: string;
  /** What it does, in a sentence or two. */
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** What may stand behind its flags, as usage shows it; absent: nothing. */
  readonly operands?: string;
  /** The original has no such program: nothing is marked as ours. */
  readonly ours?: boolean;
  /** What each exit code but that of a bad command line means. */
  readonly exitCodes?: readonly (readonly [code: number, meaning: string])[];
  /** Command lines that one may take, each with what it is for. */
  readonly examples?: readonly (readonly [command: string, what: string])[];
  /** What it refuses at its start and the original does not: a clause each, for help. */
  readonly refuses?: readonly string[];
}

/** What a command line asked for. */
export type ParsedFlags<Options> =
  | {
    readonly kind: "options";
    readonly options: Options;
    /** Lines for stderr: deprecated flags that were used. */
    readonly notices: readonly string[];
  }
  | { readonly kind: "help"; /** For stdout. */ readonly text: string }
  | { readonly kind: "version" }
  | {
    readonly kind: "error";
    readonly message: string;
    /** For stderr, behind the message. */
    readonly usage: string;
    readonly notices: readonly string[];
  };

/** Reads an environment variable; `(name) => Deno.env.get(name)`, or a table in tests. */
export type Env = (name: string) => string | undefined;

/**
 * Parses a program's command line; never throws for what a user wrote.
 * @param toOptions may refuse them with a {@link FlagError}
 */
export function parseProgramFlags<Options>(
  program: Program,
  args: readonly string[],
  toOptions: (values: FlagValues, operands: readonly string[]) => Options,
): ParsedFlags<Options> {
  const notices: string[] = [];
  try {
    const { values, positional } = parseArgs(program.flags, args, (line) => notices.push(line));
    if (values.bool("help")) return { kind: "help", text: helpText(program) };
    if (values.bool("version")) return { kind: "version" };
    return { kind: "options", options: toOptions(values, positional), notices };
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    return { kind: "error", message: error.message, usage: usageText(program), notices };
  }
}

/** What a program that refuses its command line prints to stderr, newline at the end included. */
export function refusalText(message: string, usage: string): string {
  return `Error: ${message}\n${usage}`;
}
