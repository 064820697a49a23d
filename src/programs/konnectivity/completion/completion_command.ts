import { helpFlags } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import type { Program } from "../../../flags/program.ts";

/** Shells that there are completions for. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = typeof shells[number];

/** `konnectivity completion`. */
export const completionProgram: Program = {
  name: "konnectivity completion",
  ours: true,
  operands: shells.join("|"),
  summary:
    "Prints completions for a shell: flags, the words that they take, and subcommands, of konnectivity and of the " +
    "launchers proxy-server, proxy-agent, proxy-test-client and http-test-server.",
  flags: helpFlags,
  exitCodes: [[0, "the completions are printed"], [1, "there are none for such a shell"]],
  examples: [
    ["konnectivity completion bash > /etc/bash_completion.d/konnectivity", "for all users, from the next shell on"],
    ["konnectivity completion zsh > ~/.zsh/completions/_konnectivity", "in a folder that is in $fpath before compinit"],
    ["konnectivity completion fish > ~/.config/fish/completions/konnectivity.fish", "from the next shell on"],
  ],
};

/** @throws {FlagError} */
export function completionShell(operands: readonly string[]): Shell {
  const [operand, ...others] = operands;
  const shell = shells.find((each) => each === operand);
  if (shell !== undefined && others.length === 0) return shell;
  throw new FlagError(
    "bad-operand",
    `one of ${shells.join(", ")} is needed, got ${JSON.stringify(operands.join(" "))}`,
  );
}
