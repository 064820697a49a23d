/**
 * What the launchers of `deno task build` ask before they start a program: `permissions PROGRAM FLAGS…`, as main.ts has it.
 * It is bundled alone, beside the bundle of everything, and loads next to nothing of Node: that one takes twice as long.
 * @module
 */
import { fileURLToPath } from "node:url";
import { answerPermissions, processHost, roleCode } from "./answer.ts";
import { type ProgramCode, wholeCode } from "./program_code.ts";
import { programQuestions } from "./role_permissions.ts";

/** Programs that have a bundle of their own. */
const roles = new Set(["server", "agent"]);

function codeOf(program: string): ProgramCode {
  const path = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  return roles.has(program) ? roleCode(path(program)) : wholeCode([path("konnectivity")]);
}

const [program = "", ...flags] = Deno.args.slice(1);
const questions = new Map(Object.entries(programQuestions));
Deno.exit(await answerPermissions(questions, program === "" ? [] : [program, ...flags], processHost(codeOf(program))));
