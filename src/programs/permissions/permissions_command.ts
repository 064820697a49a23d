import { fileURLToPath } from "node:url";
import { answerPermissions, type PermissionsHost, processHost } from "./answer.ts";
import { type ProgramCode, wholeCode } from "./program_code.ts";
import { type LookupHost, permissionFlags, programQuestions, type RolePermissions } from "./role_permissions.ts";

/** What finds the permissions of each program, by its role. */
const questions = {
  ...programQuestions,
  konnectivity: async (args: readonly string[], host: LookupHost): Promise<RolePermissions> => {
    const { parseKonnectivityFlags } = await import("../konnectivity/konnectivity_flags.ts");
    const { konnectivityPermissions } = await import("./konnectivity_permissions.ts");
    return await permissionFlags(parseKonnectivityFlags(args), (command) => konnectivityPermissions(command, host));
  },
};

/** The programs whose permissions follow from their flags. */
export type Role = keyof typeof questions;
export const roles: readonly Role[] = ["server", "agent", "test-client", "test-server", "konnectivity"];

/**
 * The permissions for one command line of a role: exactly what it needs, as flags of `deno run`. A command line that asks
 * for help needs nothing.
 */
export function permissionsFor(role: Role, args: readonly string[], host: LookupHost): Promise<RolePermissions> {
  return questions[role](args, host);
}

/**
 * `main.ts permissions ROLE FLAGS…`: prints one flag a line to stdout.
 * @returns the exit code
 */
export async function runPermissionsCommand(
  args: readonly string[],
  host: PermissionsHost = processHost(ownCode(import.meta.url, Deno.mainModule)),
): Promise<number> {
  return await answerPermissions(new Map(Object.entries(questions)), args, host);
}

/**
 * The program's files: one where it was built into one, else the entry module and what lies beside it.
 * @param here address of this module
 */
export function ownCode(here: string, entry: string): ProgramCode {
  const path = fileURLToPath(entry);
  if (here === entry) return wholeCode([path]);
  return wholeCode([path, ...["src", "gen", "deno.json"].map((each) => fileURLToPath(new URL(each, entry)))]);
}
