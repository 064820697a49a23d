/**
 * What the launcher of proxy-agent runs, bundled alone: a process keeps the text of its whole program in memory, and what
 * the engine has noted of each function in it.
 * @module
 */
import { runRole } from "./run_role.ts";
import { agentQuestion } from "../permissions/role_permissions.ts";
import { runAgentProgram } from "./agent_program.ts";

Deno.exit(await runRole({ agent: { run: runAgentProgram, question: agentQuestion } }));
