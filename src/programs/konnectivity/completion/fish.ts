import type { Flag } from "../../../flags/flag.ts";
import type { Program } from "../../../flags/program.ts";
import {
  brief,
  checkedPrograms,
  checkingSubcommands,
  choicesOf,
  launchedPrograms,
  shownFlags,
  standsAlone,
} from "./all_programs.ts";

/** Completions for fish. @param subcommands of konnectivity, with what each does */
export function fishCompletion(
  subcommands: ReadonlyMap<string, Program>,
  briefs: ReadonlyMap<string, string>,
): string {
  const unchosen = "__fish_use_subcommand";
  const lines = [
    '# Completions for fish, made by "konnectivity completion fish". To use them: konnectivity completion fish | source',
    "# Behind -- the flags are those of the program that is checked.",
    "function __konnectivity_checks",
    "    set -l words (commandline -opc)",
    "    contains -- $argv[1] $words; and contains -- -- $words",
    "end",
    ...launchedPrograms.flatMap((program) => shownFlags(program).map((flag) => flagLine(program.name, "", flag))),
    "complete -c konnectivity -f",
    ...[...briefs].map(([name, text]) => `complete -c konnectivity -n ${unchosen} -a ${name} -d ${quoted(text)}`),
    ...[...subcommands].flatMap(([name, program]) => {
      const condition = `__fish_seen_subcommand_from ${name}; and not contains -- -- (commandline -opc)`;
      return shownFlags(program).map((flag) => flagLine("konnectivity", condition, flag));
    }),
    ...[...checkedPrograms].flatMap(([operand, program]) => [
      `complete -c konnectivity -n '__fish_seen_subcommand_from ${checkingSubcommands.join(" ")}' -a ${operand}`,
      // Behind -- fish takes words for arguments, whatever they begin with.
      `complete -c konnectivity -n '__konnectivity_checks ${operand}' -a ${
        quoted(shownFlags(program).map(({ name }) => `--${name}`).join(" "))
      }`,
    ]),
    "complete -c konnectivity -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'",
  ];
  return `${lines.join("\n")}\n`;
}

function flagLine(command: string, condition: string, flag: Flag): string {
  const choices = choicesOf(flag);
  return [
    `complete -c ${command}`,
    ...(condition === "" ? [] : [`-n ${quoted(condition)}`]),
    ...(flag.shorthand === undefined ? [] : [`-s ${flag.shorthand}`]),
    `-l ${flag.name}`,
    ...(standsAlone(flag) ? [] : choices.length > 0 ? [`-x -a ${quoted(choices.join(" "))}`] : ["-r -F"]),
    `-d ${quoted(brief(flag))}`,
  ].join(" ");
}

/** A word in fish's single quotes, where a backslash escapes. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (sign) => `\\${sign}`)}'`;
}
