import type { CheckName, Finding, Outcome } from "../../../src/programs/konnectivity/check/finding.ts";
import type { Installation } from "../in_process/installation.ts";

/** A mistake that somebody makes, and the line that tells it. */
export interface Mistake {
  readonly what: string;
  readonly check: CheckName;
  readonly outcome?: Outcome;
  readonly text: RegExp;
  /** Makes it, and checks. */
  readonly made: (here: Installation) => Promise<readonly Finding[]>;
}

/** Checks the installation's server by its flags. @param args of `konnectivity check` before them */
export const server = (here: Installation, ...args: string[]) =>
  here.check(...args, "server", "--", ...here.flagsOf("server"));

/** The same of its agent. */
export const agent = (here: Installation, ...args: string[]) =>
  here.check(...args, "agent", "--", ...here.flagsOf("agent"));

/** Checks the installation's pod of a role, with changes to its manifest. */
export async function pod(
  here: Installation,
  role: "server" | "agent",
  changes: Parameters<Installation["pod"]>[1],
): Promise<readonly Finding[]> {
  return await here.check("-f", await here.manifest(here.pod(role, changes)));
}
