/** The launchers say here how many descriptors the process may have; in the sandbox nothing else does. */
export const descriptorLimitVariable = "KONNECTIVITY_MAX_FDS";

/** The process' limit, where it can be known: set by the launcher, or read where the sandbox lets everything be read. */
export async function descriptorLimit(): Promise<number | undefined> {
  const { state } = await Deno.permissions.query({ name: "env", variable: descriptorLimitVariable });
  const given = state === "granted" ? Number(Deno.env.get(descriptorLimitVariable)) : NaN;
  if (Number.isSafeInteger(given) && given > 0) return given;
  try {
    const limits = await Deno.readTextFile("/proc/self/limits");
    const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
