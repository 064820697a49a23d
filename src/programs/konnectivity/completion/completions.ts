import { konnectivityBriefs, konnectivityPrograms, konnectivitySummary } from "../konnectivity_flags.ts";
import { launchedPrograms } from "./all_programs.ts";
import { bashCompletion } from "./bash.ts";
import type { Shell } from "./completion_command.ts";
import { fishCompletion } from "./fish.ts";
import { type ManPage, manPage, overviewPage } from "./man_page.ts";
import { zshCompletion } from "./zsh.ts";

/** The completions of all launchers for a shell. */
export function completion(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bashCompletion(konnectivityPrograms);
    case "zsh":
      return zshCompletion(konnectivityPrograms, konnectivityBriefs);
    case "fish":
      return fishCompletion(konnectivityPrograms, konnectivityBriefs);
  }
}

/** The manual pages of all launchers and of each subcommand. */
export function manPages(): readonly ManPage[] {
  const subcommands = [...konnectivityPrograms].map(([name]) => `konnectivity-${name}(1)`);
  const launched = launchedPrograms.map(({ name }) => `${name}(8)`);
  const all = ["konnectivity(1)", ...subcommands, ...launched];
  return [
    overviewPage(konnectivityBriefs, konnectivitySummary, [...subcommands, ...launched]),
    ...[...konnectivityPrograms.values()].map((program) => manPage(program, 1, all)),
    ...launchedPrograms.map((program) => manPage(program, 8, all)),
  ];
}
