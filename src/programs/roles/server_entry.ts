/**
 * What the launcher of proxy-server runs, bundled alone: a process keeps the text of its whole program in memory, and what
 * the engine has noted of each function in it.
 * @module
 */
import { runRole } from "./run_role.ts";
import { serverQuestion } from "../permissions/role_permissions.ts";
import { runServerProgram } from "./server_program.ts";
import { workerName } from "../server/workers/worker_name.ts";

if (Reflect.get(globalThis, "name") === workerName) {
  const { runServerWorker } = await import("../server/workers/worker_main.ts");
  runServerWorker();
} else {
  Deno.exit(await runRole({ server: { run: runServerProgram, question: serverQuestion } }));
}
