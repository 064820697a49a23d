import { fileURLToPath } from "node:url";
import { answerPermissions, processHost, roleCode } from "../permissions/answer.ts";
import type { RoleQuestion } from "../permissions/role_permissions.ts";
import { type Run, runOneOf } from "../run_program.ts";

/** A program in a bundle of its own. */
export interface BundledRole {
  readonly run: Run;
  /** Finds what a command line of it may do. */
  readonly question: RoleQuestion;
}

/**
 * Runs a bundle of few roles by what their launchers say: `ROLE FLAGS…` is the program, and `permissions ROLE FLAGS…`
 * prints what that may do.
 * @returns the exit code
 */
export async function runRole(roles: Readonly<Record<string, BundledRole>>): Promise<number> {
  const [name = "", ...args] = Deno.args;
  const all = Object.entries(roles);
  const questions = new Map(all.map(([role, { question }]) => [role, question]));
  const permissions: Run = (some) =>
    answerPermissions(questions, some, processHost(roleCode(fileURLToPath(Deno.mainModule))));
  const programs = new Map(all.map(([role, { run }]) => [role, run]));
  return await runOneOf(programs.set("permissions", permissions), name, args);
}
