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

/** Reads a comma-separated list of `pattern=N`. @throws {VmoduleError} in klog's words */
export function parseVmodule(vmodule: string): ModuleVerbosity[] {
  return vmodule.split(",").filter((entry) => entry !== "").map((entry) => {
    const [, pattern, verbosity] = /^([^=]+)=([-+]?\d+)$/.exec(entry) ?? [];
    if (pattern === undefined) throw new VmoduleError("syntax error: expect comma-separated list of filename=N");
    if (Number(verbosity) < 0) throw new VmoduleError("negative value for vmodule level");
    return { pattern: glob(pattern), whole: pattern.includes("/"), verbosity: Number(verbosity) };
  });
}

function glob(pattern: string): RegExp {
  const parts = Array.from(pattern, (char) => {
    if (char === "*") return "[^/]*";
    if (char === "?") return "[^/]";
    return char.replace(/[.+^${}()|[\]\\]/, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}
