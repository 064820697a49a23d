/**
 * What the launchers of proxy-test-client and http-test-server run, bundled by themselves as the roles are.
 * @module
 */
import { testClientQuestion, testServerQuestion } from "../permissions/role_permissions.ts";
import { runRole } from "./run_role.ts";
import { runTestClientProgram, runTestServerProgram } from "./test_programs.ts";

Deno.exit(
  await runRole({
    "test-client": { run: runTestClientProgram, question: testClientQuestion },
    "test-server": { run: runTestServerProgram, question: testServerQuestion },
  }),
);
