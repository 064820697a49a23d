/**
 * The launchers say here how many bytes of memory the process may have; in the sandbox nothing else does. Whoever starts a
 * program without them may set it.
 */
export const memoryLimitVariable = "KONNECTIVITY_MEMORY_LIMIT";

/** The process' limit in bytes; undefined where there is none, or it is not known. */
export async function memoryLimit(): Promise<number | undefined> {
  const { state } = await Deno.permissions.query({ name: "env", variable: memoryLimitVariable });
  const bytes = state === "granted" ? Number(Deno.env.get(memoryLimitVariable)) : NaN;
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}
