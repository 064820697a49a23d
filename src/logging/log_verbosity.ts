import { getLogLevels, type LogLevel } from "@logtape/logtape";

/**
 * The `-v` at which a level is logged; levels that are always logged have none. The original's default is 4, and there it
 * logs state changes: those are `info` here. `debug` (expected closes, single dials) takes -v=5, `trace` (single packets) -v=6.
 */
export const levelVerbosity: Readonly<Record<LogLevel, number | undefined>> = {
  trace: 6,
  debug: 5,
  info: 0,
  warning: undefined,
  error: undefined,
  fatal: undefined,
};

/** A `--vmodule` that is no comma-separated list of `pattern=N`. */
export class VmoduleError extends Error {
  override readonly name = "VmoduleError";
  readonly code = "bad-vmodule";
}

/** One entry of `--vmodule`. */
interface ModuleVerbosity {
  readonly pattern: RegExp;
  /** Patterns with a slash are for the whole category, others for its last part. */
  readonly whole: boolean;
  readonly verbosity: number;
}

/**
 * Which records `-v` and `--vmodule` let through. Patterns of `--vmodule` are for categories where klog has files:
 * `backend=5` for every category that ends in `backend`, `server/*=5` for all below `server`; `*` and `?` do not
 * cross a slash. As with klog, the first pattern that fits counts, and only ever to log more.
 */
export class Verbosity {
  readonly #verbosity: number;
  readonly #modules: readonly ModuleVerbosity[];
  readonly #byCategory = new Map<string, number>();

  /** @throws {VmoduleError} */
  constructor(verbosity: number, vmodule: string) {
    this.#verbosity = verbosity;
    this.#modules = parseVmodule(vmodule);
  }

  /** The lowest level that any category logs. */
  get lowestLevel(): LogLevel {
    const highest = Math.max(this.#verbosity, ...this.#modules.map(({ verbosity }) => verbosity));
    return getLogLevels().find((level) => (levelVerbosity[level] ?? highest) <= highest) ?? "warning";
  }

  /** Whether a category logs a level. */
  logs(category: readonly string[], level: LogLevel): boolean {
    const needed = levelVerbosity[level];
    return needed === undefined || needed <= this.#verbosity || needed <= this.#ofCategory(category);
  }

  #ofCategory(category: readonly string[]): number {
    if (this.#modules.length === 0) return this.#verbosity;
    const path = category.join("/");
    let verbosity = this.#byCategory.get(path);
    if (verbosity === undefined) {
      const last = category.at(-1) ?? "";
      const fit = this.#modules.find(({ pattern, whole }) => pattern.test(whole ? path : last));
      verbosity = fit?.verbosity ?? this.#verbosity;
      this.#byCategory.set(path, verbosity);
    }
    return verbosity;
  }
}

/** The engine makes no expression of what is much longer. */
const maxPatternLength = 1_000;

/** Reads a comma-separated list of `pattern=N`. @throws {VmoduleError} in klog's words */
export function parseVmodule(vmodule: string): ModuleVerbosity[] {
  return vmodule.split(",").filter((entry) => entry !== "").map((entry) => {
    const [, pattern, verbosity] = /^([^=]+)=([-+]?\d+)$/.exec(entry) ?? [];
    if (pattern === undefined) throw new VmoduleError("syntax error: expect comma-separated list of filename=N");
    if (pattern.length > maxPatternLength) throw new VmoduleError("a pattern is longer than any category");
    if (Number(verbosity) < 0) throw new VmoduleError("negative value for vmodule level");
    return { pattern: glob(pattern), whole: pattern.includes("/"), verbosity: Number(verbosity) };
  });
}

function glob(pattern: string): RegExp {
  // Stars in a row would be tried with each division of a category between them.
  const parts = Array.from(pattern.replace(/\*+/g, "*"), (char) => {
    if (char === "*") return "[^/]*";
    if (char === "?") return "[^/]";
    return char.replace(/[.+^${}()|[\]\\]/, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}
