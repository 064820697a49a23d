import type { Flag } from "./flag.ts";
import type { Program } from "./program.ts";

const width = 100;
const indent = " ".repeat(10);

/** The whole `--help` text of a program: its flags under their headings, each explained. */
export function helpText(program: Program): string {
  const lines = [...wrap(program.summary, width), "", "Usage:", `  ${synopsis(program)}`];
  for (const [group, flags] of groups(program.flags)) {
    lines.push("", `${group}:`);
    for (const flag of flags) {
      lines.push(signature(flag, program));
      lines.push(...wrap(explanation(flag), width - indent.length).map((line) => indent + line));
    }
  }
  if (program.refuses !== undefined) {
    lines.push("", "Refused at the start, unlike by the original:");
    for (const what of program.refuses) {
      const [first = "", ...more] = wrap(what, width - 4);
      lines.push(`  - ${first}`, ...more.map((line) => `    ${line}`));
    }
  }
  if (program.examples !== undefined) {
    lines.push("", "Examples:");
    for (const [command, what] of program.examples) {
      lines.push(`  ${command}`, ...wrap(what, width - indent.length).map((line) => indent + line));
    }
  }
  if (program.exitCodes !== undefined) {
    lines.push("", "Exit codes:");
    for (const [code, meaning] of program.exitCodes) {
      const [first = "", ...more] = wrap(meaning, width - 5);
      lines.push(`  ${code}  ${first}`, ...more.map((line) => `     ${line}`));
    }
  }
  lines.push("", ...wrap(program.ours === true ? formsNote : `${formsNote} ${oursNote}`, width));
  return lines.join("\n") + "\n";
}

/** The short text behind an error message: the flags' names, and where to read on. */
export function usageText(program: Program): string {
  const lines = ["Usage:", `  ${synopsis(program)}`, ""];
  for (const [group, flags] of groups(program.flags)) {
    const names = flags.map((flag) => (flag.shorthand === undefined ? "" : `-${flag.shorthand}, `) + `--${flag.name}`);
    const [first = "", ...more] = wrap(`${group}: ${names.join(", ")}`, width);
    lines.push(first, ...more.map((line) => `  ${line}`));
  }
  lines.push("", `"${program.name} --help" explains each flag.`);
  return lines.join("\n") + "\n";
}

/** The flag's default as help and README show it; empty where it says nothing: no, none, zero. */
export function shownDefault(flag: Flag): string {
  if (flag.defaultText !== undefined) return flag.defaultText;
  const value = flag.type.parse(flag.default);
  if (value === false || value === 0 || value === "" || (Array.isArray(value) && value.length === 0)) return "";
  return typeof value === "string" ? JSON.stringify(value) : flag.default;
}

/** How a program is called. */
export function synopsis({ name, operands }: Program): string {
  return `${name} [flags]${operands === undefined ? "" : ` ${operands}`}`;
}

const formsNote = "A flag may be written --name=value or --name value, a switch --name, --name=true or --name=false. " +
  "Durations are written 100ms, 10s, 1m30s, 1h.";
const oursNote = "Flags marked [+] are not in the original program.";

/** The flags that are shown, by their headings. */
export function groups(flags: readonly Flag[]): Map<string, Flag[]> {
  const found = new Map<string, Flag[]>();
  for (const flag of flags) {
    if (flag.hidden === true) continue;
    const group = found.get(flag.group);
    if (group === undefined) found.set(flag.group, [flag]);
    else group.push(flag);
  }
  return found;
}

function signature(flag: Flag, program: Program): string {
  const short = flag.shorthand === undefined ? "    " : `-${flag.shorthand}, `;
  const label = flag.type.label === "" ? "" : ` ${flag.type.label}`;
  const mark = flag.since === "ours" && program.ours !== true ? " [+]" : "";
  return `  ${short}--${flag.name}${label}${mark}`;
}

/** What a flag does, with its default and its variable. */
export function explanation(flag: Flag): string {
  const parts = [flag.help];
  const original = flag.originalDefault === undefined ? "" : `; the original's: ${flag.originalDefault}`;
  const shown = shownDefault(flag);
  if (shown !== "" || original !== "") parts.push(`(default ${shown === "" ? flag.default : shown}${original})`);
  if (flag.env !== undefined) parts.push(`[env ${flag.env}]`);
  return parts.join(" ");
}

/** Breaks text at blanks into lines of at most `columns`; a longer word stands alone. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
