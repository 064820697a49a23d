import { splitCsv } from "./csv.ts";
import { parseDuration } from "./duration.ts";
import { FlagValueError } from "./flag_error.ts";
import { parseBool, parseFloat32, parseInteger, parseUnsigned } from "./go_values.ts";

/** A flag's value; durations are milliseconds. */
export type FlagValue = string | number | boolean | readonly string[];

/** How a flag's text is read. */
export interface FlagType {
  /** What help shows in the value's place; empty: nothing. */
  readonly label: string;
  /** @throws {FlagValueError} */
  readonly parse: (text: string) => FlagValue;
  /** The text that the flag alone, without a value, stands for; absent: it needs one. */
  readonly bare?: string;
}

/** One line of a program's table of flags, which drives parser, help and README alike. */
export interface Flag {
  /** Without dashes. */
  readonly name: string;
  /** One letter. */
  readonly shorthand?: string;
  readonly type: FlagType;
  /** As a user would write it. */
  readonly default: string;
  /** What help shows for the default where `default` is not it, as for a random id. */
  readonly defaultText?: string;
  /** Where the original's default is another one. */
  readonly originalDefault?: string;
  /** The heading in help that it stands under. */
  readonly group: string;
  /** What it does, a clause without a full stop at its end. */
  readonly help: string;
  /** "ours": the original has no such flag. */
  readonly since: "original" | "ours";
  /** The environment variable that stands in where the flag is not given. */
  readonly env?: string;
  /** Parsed, but not shown in help. */
  readonly hidden?: boolean;
  /** What to do instead; using the flag prints a notice. */
  readonly deprecated?: string;
  /** The flag that this one is another name of. */
  readonly aliasOf?: string;
}

export const string: FlagType = { label: "string", parse: (text) => text };
export const int: FlagType = { label: "int", parse: parseInteger };
export const uint: FlagType = { label: "uint", parse: parseUnsigned };
export const float32: FlagType = { label: "float32", parse: parseFloat32 };
export const bool: FlagType = { label: "", parse: parseBool, bare: "true" };
export const duration: FlagType = { label: "duration", parse: parseDuration };
/** A comma list; given again, it adds to the list. */
export const strings: FlagType = { label: "strings", parse: splitCsv };

/** One word of a few; another one is refused. */
export function choice(...words: readonly string[]): FlagType {
  return {
    label: words.join("|"),
    parse: (text) => {
      if (words.includes(text)) return text;
      throw new FlagValueError(`must be one of: ${words.join(", ")}`);
    },
  };
}

/** A flag as a table writes it down: its group is the heading it stands under, `since` needs saying only where ours. */
export type FlagEntry = Omit<Flag, "group" | "since"> & { readonly since?: "ours" };

/** The flags of one heading of help. */
export function inGroup(group: string, entries: readonly FlagEntry[]): Flag[] {
  return entries.map((entry) => ({ since: "original", ...entry, group }));
}

/** `--help` and `--version`, which every program has. */
export const helpFlags: readonly Flag[] = inGroup("Help", [
  { name: "help", shorthand: "h", type: bool, default: "false", help: "show this text" },
  { name: "version", type: bool, default: "false", help: "show the version", since: "ours" },
]);

/** The values of all flags of a table, given or default. */
export class FlagValues {
  readonly #values = new Map<string, FlagValue>();
  readonly #given = new Set<string>();

  constructor(flags: readonly Flag[]) {
    for (const flag of flags) {
      if (flag.aliasOf === undefined) this.#values.set(flag.name, flag.type.parse(flag.default));
    }
  }

  /** Takes a value from the command line; of lists each occurrence adds to those before it. @throws {FlagValueError} */
  set(flag: Flag, text: string): void {
    const name = flag.aliasOf ?? flag.name;
    const value = flag.type.parse(text);
    const before = this.#values.get(name);
    const adds = Array.isArray(value) && Array.isArray(before) && this.#given.has(name);
    this.#values.set(name, adds ? [...before, ...value] : value);
    this.#given.add(name);
  }

  /** Whether the command line held the flag. */
  given(name: string): boolean {
    return this.#given.has(name);
  }

  string(name: string): string {
    const value = this.#values.get(name);
    if (typeof value !== "string") throw new TypeError(`no flag --${name} with text for a value`);
    return value;
  }

  number(name: string): number {
    const value = this.#values.get(name);
    if (typeof value !== "number") throw new TypeError(`no flag --${name} with a number for a value`);
    return value;
  }

  bool(name: string): boolean {
    const value = this.#values.get(name);
    if (typeof value !== "boolean") throw new TypeError(`no flag --${name} that is on or off`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.#values.get(name);
    if (!Array.isArray(value)) throw new TypeError(`no flag --${name} with a list for a value`);
    return value;
  }
}

/** Wraps a parser so that it fails with fixed words, as Go's own flag package does. */
export function withWords(parse: (text: string) => FlagValue, words: (cause: Error) => string): FlagType["parse"] {
  return (text) => {
    try {
      return parse(text);
    } catch (cause) {
      if (cause instanceof FlagValueError) throw new FlagValueError(words(cause), { cause });
      throw cause;
    }
  };
}
