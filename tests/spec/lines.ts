import { agentLines } from "./agent_lines.ts";
import { clientLines } from "./client_lines.ts";
import { painsLines } from "./pains_lines.ts";
import { serverLines } from "./server_lines.ts";
import type { SpecLine } from "./spec_line.ts";

/** Every line that a test must show, in the order of the documents. */
export const specLines: readonly SpecLine[] = [...serverLines, ...agentLines, ...clientLines, ...painsLines];

/**
 * How many subsections each section has. A title may name one of them without a line's number: behaviour that is described
 * there, beyond what the original's own tests show.
 */
const sections: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  server: { 1: 3, 2: 4, 3: 0, 4: 6, 5: 4, 6: 3, 7: 2, 8: 0, 9: 4, 10: 0, 11: 0, 12: 0, 13: 8 },
  agent: { 1: 2, 2: 6, 3: 6, 4: 8, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0 },
  client: { 0: 2, 1: 7, 2: 4, 3: 4, 4: 4, 5: 2, 6: 6, 7: 0, 8: 12 },
};

/** Whether a tag such as `server 4.4` names a section as a whole. */
export function isSection(tag: string): boolean {
  if (tag === "pains a") return true;
  const match = /^(server|agent|client) (\d+)(?:\.(\d+))?$/.exec(tag);
  if (match === null) return false;
  const subsections = sections[match[1] ?? ""]?.[Number(match[2])];
  return subsections !== undefined && Number(match[3] ?? 1) <= Math.max(1, subsections);
}
