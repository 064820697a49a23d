import { fileURLToPath } from "node:url";
import { type Run, runOneOf } from "../run_program.ts";
import { answerPermissions, processHost, roleCode } from "../permissions/answer.ts";
import type { RoleQuestion } from "../permissions/role_permissions.ts";

/**
 * A bundle of one role, run by what its launcher says: `ROLE FLAGS…` is the program, and `permissions ROLE FLAGS…` prints
 * what that may do.
 * @returns the exit code
 */
export async function runRole(role: string, program: Run, question: RoleQuestion): Promise<number> {
  const [name = "", ...args] = Deno.args;
  const permissions: Run = (some) =>
    answerPermissions(new Map([[role, question]]), some, processHost(roleCode(fileURLToPath(Deno.mainModule))));
  return await runOneOf(new Map([[role, program], ["permissions", permissions]]), name, args);
}
