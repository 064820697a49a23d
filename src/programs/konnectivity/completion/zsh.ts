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
import { quoted } from "./bash.ts";

/** Completions for zsh, a function that compinit loads. @param subcommands of konnectivity, with what each does */
export function zshCompletion(
  subcommands: ReadonlyMap<string, Program>,
  briefs: ReadonlyMap<string, string>,
): string {
  const functions = [
    ...launchedPrograms.map((program) => argumentsFunction(functionOf(program.name), program, [])),
    ...[...subcommands].map(([name, program]) =>
      argumentsFunction(functionOf(`konnectivity ${name}`), program, operandsOf(name))
    ),
  ];
  const described = [...briefs].map(([name, text]) => quoted(`${name}:${text}`)).join("\n    ");
  return `#compdef ${[...launchedPrograms.map(({ name }) => name), "konnectivity"].join(" ")}
# Completions for zsh, made by "konnectivity completion zsh". To use them, write them to a file _konnectivity in a folder
# of $fpath, before compinit.

${functions.join("\n")}
_konnectivity_check_flags() {
  # Behind -- the flags are those of the program that is checked.
  local -i at=\${words[(i)--]}
  if (( at < CURRENT )); then
    case \${words[at - 1]} in
${
    [...checkedPrograms].map(([operand, { name }]) =>
      `      ${operand}) shift at words; (( CURRENT -= at )); words=(${name} $words); (( CURRENT++ )); ${
        functionOf(name)
      }; return ;;`
    ).join("\n")
  }
    esac
  fi
  _values program ${[...checkedPrograms.keys()].join(" ")}
}

_konnectivity_subcommand() {
  local -a subcommands=(
    ${described}
  )
  if (( CURRENT == 2 )); then
    _describe subcommand subcommands
    return
  fi
  local subcommand=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $subcommand in
${[...subcommands.keys()].map((name) => `    ${name}) ${functionOf(`konnectivity ${name}`)} ;;`).join("\n")}
  esac
}

# The first call loads this file, and the others come here.
_konnectivity() {
  case $service in
${launchedPrograms.map(({ name }) => `    ${name}) ${functionOf(name)} ;;`).join("\n")}
    *) _konnectivity_subcommand ;;
  esac
}

_konnectivity "$@"
`;
}

function functionOf(name: string): string {
  return `_${name.replaceAll(/[^a-z]/g, "_")}`;
}

function operandsOf(subcommand: string): readonly string[] {
  if (checkingSubcommands.includes(subcommand)) return ["*:program:_konnectivity_check_flags"];
  return subcommand === "completion" ? ["1:shell:(bash zsh fish)"] : [];
}

function argumentsFunction(name: string, program: Program, operands: readonly string[]): string {
  const specs = [...shownFlags(program).flatMap(specsOf), ...operands].map(quoted);
  return `${name}() {\n  _arguments -S ${specs.map((spec) => `\\\n    ${spec}`).join(" ")}\n}\n`;
}

function specsOf(flag: Flag): string[] {
  const text = brief(flag).replaceAll(/[\\[\]:]/g, (sign) => `\\${sign}`);
  const choices = choicesOf(flag);
  // A switch may have a value behind = alone.
  if (standsAlone(flag)) return spellings(flag).map((each) => `${each}[${text}]`);
  const value = choices.length > 0 ? `(${choices.join(" ")})` : "_files";
  return spellings(flag).map((each) =>
    `${each}${each.startsWith("--") ? "=" : "+"}[${text}]:${flag.type.label.replaceAll(":", "")}:${value}`
  );
}

function spellings({ name, shorthand }: Flag): string[] {
  return [`--${name}`, ...(shorthand === undefined ? [] : [`-${shorthand}`])];
}
