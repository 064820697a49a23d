/**
 * What the launchers of `deno task build` ask before they start a program: `permissions PROGRAM FLAGS…`, as main.ts has it.
 * It is bundled alone, beside the bundle of everything, and loads next to nothing of Node: that one takes twice as long.
 * @module
 */
import { fileURLToPath } from "node:url";
import { answerPermissions, processHost } from "./answer.ts";
import { programQuestions } from "./role_permissions.ts";

const program = fileURLToPath(new URL("./konnectivity.js", import.meta.url));
const questions = new Map(Object.entries(programQuestions));
Deno.exit(await answerPermissions(questions, Deno.args.slice(1), processHost([program])));
