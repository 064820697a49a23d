import { type Flag, FlagValues } from "./flag.ts";
import { FlagError, FlagValueError, quote } from "./flag_error.ts";

/** What a command line said. */
export interface ParsedArgs {
  readonly values: FlagValues;
  /** Lines for stderr: deprecated flags that were used. */
  readonly notices: readonly string[];
  /** Arguments that are no flags, in order. */
  readonly positional: readonly string[];
}

/**
 * Reads a command line as Go's pflag does: `--name=value`, `--name value`, `--switch`, `--switch=false`, `-v4`, `-v=4`,
 * `-v 4`, letters joined (`-hv4`), flags and other arguments mixed, `--` ends the flags.
 * @param onNotice hears of deprecated flags, also when a later argument is in error
 * @throws {FlagError}
 */
export function parseArgs(
  flags: readonly Flag[],
  args: readonly string[],
  onNotice: (line: string) => void = () => {},
): ParsedArgs {
  const names = new Map(flags.map((flag) => [flag.name, flag]));
  const letters = new Map(flags.flatMap((flag) => flag.shorthand === undefined ? [] : [[flag.shorthand, flag]]));
  const values = new FlagValues(flags);
  const notices: string[] = [];
  const positional: string[] = [];
  const rest = [...args];

  const set = (flag: Flag, text: string) => {
    try {
      values.set(flag, text);
    } catch (cause) {
      if (!(cause instanceof FlagValueError)) throw cause;
      const name = flag.shorthand === undefined ? `--${flag.name}` : `-${flag.shorthand}, --${flag.name}`;
      throw new FlagError(
        "invalid-argument",
        `invalid argument ${quote(text)} for ${quote(name)} flag: ${cause.message}`,
        { cause },
      );
    }
    if (flag.deprecated !== undefined) {
      const line = `Flag --${flag.name} has been deprecated, ${flag.deprecated}`;
      notices.push(line);
      onNotice(line);
    }
  };

  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      positional.push(...rest);
      break;
    } else if (arg.startsWith("--")) {
      parseLong(arg);
    } else if (arg.startsWith("-") && arg !== "-") {
      parseLetters(arg.slice(1));
    } else {
      positional.push(arg);
    }
  }
  return { values, notices, positional };

  function parseLong(arg: string): void {
    const body = arg.slice(2);
    if (body.startsWith("-") || body.startsWith("=")) {
      throw new FlagError("bad-flag-syntax", `bad flag syntax: ${arg}`);
    }
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const flag = names.get(name);
    if (flag === undefined) throw new FlagError("unknown-flag", `unknown flag: --${name}`);
    const text = equals < 0 ? flag.type.bare ?? rest.shift() : body.slice(equals + 1);
    if (text === undefined) throw new FlagError("flag-needs-argument", `flag needs an argument: --${name}`);
    set(flag, text);
  }

  function parseLetters(group: string): void {
    for (let left = group; left !== "";) {
      const letter = left.slice(0, 1);
      const behind = left.slice(1);
      const flag = letters.get(letter);
      if (flag === undefined) {
        throw new FlagError("unknown-shorthand", `unknown shorthand flag: '${letter}' in -${left}`);
      }
      if (behind.startsWith("=") && behind.length > 1) return set(flag, behind.slice(1));
      if (flag.type.bare !== undefined) {
        set(flag, flag.type.bare);
        left = behind;
        continue;
      }
      const text = behind === "" ? rest.shift() : behind;
      if (text === undefined) {
        throw new FlagError("flag-needs-argument", `flag needs an argument: '${letter}' in -${left}`);
      }
      return set(flag, text);
    }
  }
}
