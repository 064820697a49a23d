import type { Flag } from "./flag.ts";
import { shownDefault } from "./help.ts";
import type { Program } from "./program.ts";

/**
 * A program's flags as a Markdown table, for the documents; a check compares it with what stands there. Of a program that
 * the original has not there is nothing to compare.
 */
export function flagTable(program: Program): string {
  const ours = program.ours === true;
  const heads = ["flag", "type", "default", ...(ours ? [] : ["the original's default"]), "what it does"];
  const flags = program.flags.filter((flag) => flag.group !== "Help");
  const lines = [
    `| ${heads.join(" | ")} |`,
    `|${"---|".repeat(heads.length)}`,
    ...flags.map((flag) => row(flag, ours)),
  ];
  return lines.join("\n") + "\n";
}

function row(flag: Flag, ours: boolean): string {
  const cells = [
    code((flag.shorthand === undefined ? "" : `-${flag.shorthand}, `) + `--${flag.name}`),
    flag.type.label === "" ? "bool" : flag.type.label,
    defaultCell(flag),
    ...(ours ? [] : [originalCell(flag)]),
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
