import { readBoundedFile } from "../../../runtime/files/bounded_file.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import type { Printer } from "../../terminal.ts";
import { ManifestError, plannedPrograms } from "../manifest/manifest.ts";
import { coloured, printable, type TextStyle } from "../text_style.ts";
import type { Part } from "../check/part.ts";
import { flagSteps } from "./flag_steps.ts";
import { podSteps, roleSteps } from "./pod_steps.ts";
import { rolloutSteps } from "./rollout_steps.ts";
import { type Step, type StepKind, stepKinds } from "./step.ts";

/** How the answer is written. */
export interface AdoptOutput {
  readonly output: "text" | "json";
  /** Leave out what needs no edit. */
  readonly quiet: boolean;
}

/**
 * `konnectivity check --adopt FILE`: what will differ, what to edit, and in which order to roll out.
 * @returns 0: only the image or the program is to be replaced, 1: the file cannot be read, 2: more is to be edited
 */
export async function runAdopt(
  path: string,
  { output, quiet }: AdoptOutput,
  style: TextStyle,
  printer: Printer,
): Promise<number> {
  let steps: readonly Step[];
  try {
    const text = await readBoundedFile(path, systemClock);
    steps = await adoptionSteps(text, path);
  } catch (error) {
    const why = error instanceof ManifestError
      ? error.message
      : `--adopt: cannot read ${path}: ${error instanceof Error ? error.message : error}`;
    printer.err(`Error: ${why}`);
    return 1;
  }
  const shown = quiet ? steps.filter(({ kind }) => kind === "edit") : steps;
  if (output === "json") printer.out(JSON.stringify({ version: 1, steps: shown }));
  else for (const line of textOf(shown, style)) printer.out(line);
  const programs = new Set(steps.filter(({ kind }) => kind === "edit").map(({ subject }) => subject)).size;
  return steps.filter(({ kind }) => kind === "edit").length > programs ? 2 : 0;
}

/** @throws {ManifestError} */
export async function adoptionSteps(text: string, path: string): Promise<readonly Step[]> {
  const programs = plannedPrograms(text, path);
  const steps: Step[] = [];
  const parts: Part[] = [];
  for (const program of programs) {
    const subject = program.pod?.label ?? program.label;
    const { steps: ofFlags, part } = await flagSteps(program);
    if (part !== undefined) parts.push(part);
    steps.push(...podSteps(program, part), ...ofFlags, ...roleSteps(program.role, subject));
  }
  steps.push(...rolloutSteps(programs, parts, path));
  return stepKinds.flatMap((kind) => steps.filter((each) => each.kind === kind));
}

const headings: Readonly<Record<StepKind, string>> = {
  edit: "What to edit",
  differs: "What differs, and needs no edit",
  order: "In which order to roll out",
};
const colours = { edit: "yellow", differs: "grey", order: "green" } as const;

function textOf(steps: readonly Step[], style: TextStyle): string[] {
  return stepKinds.flatMap((kind) => {
    const own = steps.filter((each) => each.kind === kind);
    if (own.length === 0) return [];
    let before = "";
    const lines = own.flatMap(({ subject, text, chapter }) => {
      const head = kind === "order" || subject === before ? [] : [`  ${printable(subject, style)}`];
      before = subject;
      const lead = kind === "order" ? `${subject.replace("step ", "")}.` : "-";
      return [...head, `  ${lead} ${printable(text, style)}${chapter === "" ? "" : ` (${chapter})`}`];
    });
    return [coloured(`${headings[kind]}:`, colours[kind], style), ...lines];
  });
}
