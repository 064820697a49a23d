import type { Flag } from "../../../flags/flag.ts";
import type { Program } from "../../../flags/program.ts";
import {
  checkedPrograms,
  checkingSubcommands,
  choicesOf,
  launchedPrograms,
  shownFlags,
  standsAlone,
} from "./all_programs.ts";

/**
 * Completions for bash: flags, words that flags take, subcommands, and files where nothing better is known. It needs
 * nothing of the package bash-completion.
 * @param subcommands of konnectivity
 */
export function bashCompletion(subcommands: ReadonlyMap<string, Program>): string {
  const keyed = [
    ...launchedPrograms.map((program) => [program.name, program] as const),
    ...[...subcommands].map(([name, program]) => [`konnectivity ${name}`, program] as const),
  ];
  const commands = [...launchedPrograms.map(({ name }) => name), "konnectivity"];
  return `# Completions for bash, made by "konnectivity completion bash". To use them: . <(konnectivity completion bash)
_konnectivity_flags() {
  case $1 in
${keyed.map(([key, program]) => `    ${quoted(key)}) echo ${quoted(names(program))} ;;`).join("\n")}
  esac
}

# Words that a flag takes; "-" where it stands alone, "@" where it takes any text.
_konnectivity_values() {
  case $1\\ $2 in
${keyed.flatMap(([key, program]) => valueCases(key, program)).join("\n")}
  esac
}

_konnectivity() {
  local command=\${1##*/} cur=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD - 1]} at key values subcommand= operand=
  COMPREPLY=()
  # A word of --flag=value is three, since = is among the signs that break words.
  if [ "$cur" = = ]; then
    cur=
  elif [ "$flag" = = ]; then
    flag=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $flag == --*=* ]]; then
    flag=
  fi
  key=$command
  if [ "$command" = konnectivity ]; then
    if [ "$COMP_CWORD" = 1 ]; then
      COMPREPLY=($(compgen -W ${quoted([...subcommands.keys(), "--help", "--version"].join(" "))} -- "$cur"))
      return
    fi
    subcommand=\${COMP_WORDS[1]} key="konnectivity \${COMP_WORDS[1]}"
    # Behind -- the flags are those of the program that is checked.
    for ((at = 2; at < COMP_CWORD; at++)); do
      case \${COMP_WORDS[at]} in
${[...checkedPrograms].map(([operand]) => `        ${operand}) operand=${operand} ;;`).join("\n")}
        --)
          case $operand in
${[...checkedPrograms].map(([operand, { name }]) => `            ${operand}) key=${name} ;;`).join("\n")}
          esac
          ;;
      esac
    done
  fi
  values=$(_konnectivity_values "$key" "$flag")
  # Files, perhaps.
  [ "$values" = @ ] && return
  if [ -n "$values" ] && [ "$values" != - ]; then
    COMPREPLY=($(compgen -W "$values" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_konnectivity_flags "$key")" -- "$cur"))
  elif ${checkingSubcommands.map((name) => `[ "$key" = "konnectivity ${name}" ]`).join(" || ")}; then
    COMPREPLY=($(compgen -W ${quoted([...checkedPrograms.keys()].join(" "))} -- "$cur"))
  elif [ "$subcommand" = completion ]; then
    COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur"))
  fi
}

complete -o default -F _konnectivity ${commands.join(" ")}
`;
}

function names(program: Program): string {
  return shownFlags(program).map(({ name }) => `--${name}`).join(" ");
}

function valueCases(key: string, program: Program): string[] {
  return shownFlags(program).map((flag) => {
    // What stands alone takes a value only behind =, and whoever types a blank goes on with something else.
    const words = standsAlone(flag) ? "-" : choicesOf(flag).join(" ") || "@";
    return `    ${patterns(key, flag)}) echo ${quoted(words)} ;;`;
  });
}

function patterns(key: string, { name, shorthand }: Flag): string {
  const spellings = [`--${name}`, ...(shorthand === undefined ? [] : [`-${shorthand}`])];
  return spellings.map((spelling) => quoted(`${key} ${spelling}`)).join(" | ");
}

/** A word in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
