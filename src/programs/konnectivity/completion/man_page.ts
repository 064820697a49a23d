import type { Flag } from "../../../flags/flag.ts";
import { explanation, groups } from "../../../flags/help.ts";
import type { Program } from "../../../flags/program.ts";
import { version } from "../../version.ts";

/** A manual page: its file's name and its text in the macros of man(7). */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** The page of a program, made from its table of flags. @param section 1: commands, 8: those of administrators */
export function manPage(program: Program, section: 1 | 8, seeAlso: readonly string[]): ManPage {
  const name = program.name.replaceAll(" ", "-");
  const [first = ""] = program.summary.split(/(?<=[^.])[:;.] /);
  const variables = program.flags.filter(({ env, hidden }) => env !== undefined && hidden !== true);
  const lines = [
    `.TH ${name.toUpperCase().replaceAll("-", "\\-")} ${section} "" "konnectivity ${version}" "Konnectivity for Deno"`,
    ".SH NAME",
    `${name.replaceAll("-", "\\-")} \\- ${escaped(first)}`,
    ".SH SYNOPSIS",
    `.B ${escaped(program.name)}`,
    ".RI [ flags ]",
    ...(program.operands === undefined ? [] : [escaped(program.operands)]),
    ".SH DESCRIPTION",
    ...paragraph(program.summary),
    ".SH OPTIONS",
    ...paragraph(
      "A flag may be written --name=value or --name value, a switch --name, --name=true or --name=false. Durations are " +
        "written 100ms, 10s, 1m30s, 1h.",
    ),
    ...[...groups(program.flags)].flatMap(([group, flags]) => [`.SS ${escaped(group)}`, ...flags.flatMap(option)]),
    ...sectionOf(
      "EXAMPLES",
      (program.examples ?? []).flatMap(([command, what]) => [".TP", bold(command), ...paragraph(what)]),
    ),
    ...sectionOf(
      "REFUSED AT THE START, UNLIKE BY THE ORIGINAL",
      (program.refuses ?? []).flatMap((what) => [".IP \\(bu 2", ...paragraph(what)]),
    ),
    ...sectionOf(
      "EXIT STATUS",
      (program.exitCodes ?? []).flatMap(([code, meaning]) => [".TP", bold(String(code)), ...paragraph(meaning)]),
    ),
    ...sectionOf(
      "ENVIRONMENT",
      variables.flatMap(({ env = "", name: flag }) => [".TP", bold(env), ...paragraph(`stands in for --${flag}`)]),
    ),
    ...sectionOf("SEE ALSO", references(seeAlso.filter((each) => !each.startsWith(`${name}(`)))),
  ];
  return { file: `man${section}/${name}.${section}`, text: `${lines.join("\n")}\n` };
}

/** The page of konnectivity itself, which has its subcommands. */
export function overviewPage(
  briefs: ReadonlyMap<string, string>,
  summary: string,
  seeAlso: readonly string[],
): ManPage {
  const [first = ""] = summary.split(": ");
  const lines = [
    `.TH KONNECTIVITY 1 "" "konnectivity ${version}" "Konnectivity for Deno"`,
    ".SH NAME",
    `konnectivity \\- ${escaped(first)}`,
    ".SH SYNOPSIS",
    ".B konnectivity",
    ".I subcommand",
    ".RI [ flags ]",
    ".SH DESCRIPTION",
    ...paragraph(summary),
    ".SH SUBCOMMANDS",
    ...[...briefs].flatMap(([name, text]) => [".TP", bold(name), ...paragraph(text)]),
    ".SH SEE ALSO",
    ...references(seeAlso),
  ];
  return { file: "man1/konnectivity.1", text: `${lines.join("\n")}\n` };
}

function option(flag: Flag): string[] {
  const { name, shorthand, type } = flag;
  const short = shorthand === undefined ? "" : `\\fB\\-${shorthand}\\fR, `;
  const value = type.label === "" ? "" : ` \\fI${escaped(type.label)}\\fR`;
  return [".TP", `${short}\\fB\\-\\-${escaped(name)}\\fR${value}`, ...paragraph(explanation(flag))];
}

function sectionOf(title: string, lines: readonly string[]): string[] {
  return lines.every((line) => line === "") ? [] : [`.SH ${title}`, ...lines];
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

/** @param pages as `name(section)` */
function references(pages: readonly string[]): string[] {
  return pages.map((page, at) => {
    const [, name = "", section = ""] = /^(.*)\((\d)\)$/.exec(page) ?? [];
    return `.BR ${escaped(name)} (${section})${at === pages.length - 1 ? "" : ","}`;
  });
}

/** Text as lines that begin with no macro. */
function paragraph(text: string): string[] {
  return [escaped(text)];
}

/** Signs that roff would act on, or does not know; a hyphen of a flag is to be copied as one. */
function escaped(text: string): string {
  return text.replaceAll("\u2026", "...").replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=['.])/, "\\&")
    .replaceAll(
      /[^\x20-\x7e]/gu,
      (sign) => `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}
