import type { Flag } from "../../../flags/flag.ts";
import type { Program } from "../../../flags/program.ts";
import { agentProgram } from "../../agent/agent_flags.ts";
import { serverProgram } from "../../server/server_flags.ts";
import { testClientProgram } from "../../test/test_client_flags.ts";
import { testServerProgram } from "../../test/test_server_flags.ts";

/** The programs that have a launcher, but konnectivity, whose flags are those of its subcommands. */
export const launchedPrograms: readonly Program[] = [
  serverProgram,
  agentProgram,
  testClientProgram,
  testServerProgram,
];

/** A program that behind `--` takes another one's flags, as `konnectivity check` does; by its operand. */
export const checkedPrograms: ReadonlyMap<string, Program> = new Map([
  ["server", serverProgram],
  ["agent", agentProgram],
]);

/** The subcommands that take such flags. */
export const checkingSubcommands: readonly string[] = ["check", "diag"];

/** The flags that are shown, in the order of the table. */
export function shownFlags({ flags }: Program): readonly Flag[] {
  return flags.filter((flag) => flag.hidden !== true);
}

/** The words that a flag takes; empty: any text. */
export function choicesOf({ type: { label, bare } }: Flag): readonly string[] {
  if (bare === "true") return ["true", "false"];
  return /^[\w-]+(?:\|[\w-]+)+$/.test(label) ? label.split("|") : [];
}

/** Whether a flag stands alone, as `--watch` does. */
export function standsAlone({ type }: Flag): boolean {
  return type.bare !== undefined;
}

/** What a flag does, short: up to what explains it further. */
export function brief({ help }: Flag): string {
  const [first = ""] = help.split(/; |\. |: /);
  return first.length <= 90 ? first : `${first.slice(0, 87).trimEnd()}...`;
}
