import type { Flag } from "./flag.ts";
import { shownDefault } from "./help.ts";
import type { Program } from "./program.ts";

/** A program's flags as a Markdown table, for the README; a check compares it with what stands there. */
export function flagTable(program: Program): string {
  const rows = program.flags.filter((flag) => flag.group !== "Help").map(row);
  return ["| flag | type | default | the original's default | what it does |", "|---|---|---|---|---|", ...rows].join(
    "\n",
  ) +
    "\n";
}

function row(flag: Flag): string {
  const cells = [
    code((flag.shorthand === undefined ? "" : `-${flag.shorthand}, `) + `--${flag.name}`),
    flag.type.label === "" ? "bool" : flag.type.label,
    defaultCell(flag),
    originalCell(flag),
    [flag.help, ...notes(flag)].join("; "),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function defaultCell(flag: Flag): string {
  const text = flag.env === undefined ? "" : `${code(flag.env)} in the environment, else `;
  if (flag.defaultText !== undefined && flag.env !== undefined) return text + flag.defaultText;
  return text + code(shownDefault(flag) || flag.default || '""');
}

function originalCell(flag: Flag): string {
  if (flag.since === "ours") return "no such flag";
  return flag.originalDefault === undefined ? "the same" : code(flag.originalDefault);
}

function notes(flag: Flag): string[] {
  return flag.deprecated === undefined ? [] : [`deprecated: ${flag.deprecated}`];
}

function code(text: string): string {
  return `\`${text}\``;
}
