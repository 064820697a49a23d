/** A `--vmodule` that is no comma-separated list of `pattern=N`. */
export class VmoduleError extends Error {
  override readonly name = "VmoduleError";
  readonly code = "bad-vmodule";
}

/** One entry of `--vmodule`. */
export interface ModuleVerbosity {
  readonly pattern: RegExp;
  /** Patterns with a slash are for the whole category, others for its last part. */
  readonly whole: boolean;
  readonly verbosity: number;
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
