import type { FileProbe } from "../../../flags/file_probe.ts";
import type { Flag } from "../../../flags/flag.ts";
import { FlagError } from "../../../flags/flag_error.ts";
import { parseArgs } from "../../../flags/pflag.ts";
import { agentProgram } from "../../agent/agent_flags.ts";
import { originalAgentFault } from "../../agent/agent_validation.ts";
import { refusalOf } from "../../refusals.ts";
import { serverProgram } from "../../server/server_flags.ts";
import { originalServerFault } from "../../server/server_validation.ts";
import { type ParsedPart, type Part, partOf, validate } from "../check/part.ts";
import type { PlannedProgram } from "../manifest/manifest.ts";
import type { Step } from "./step.ts";

/** What the files hold is for the check of the edited manifest. */
const readable: FileProbe = () => Promise.resolve({ kind: "readable" });

/** A longer message says no more than the row of the table that it stands for. */
const longestShown = 120;

/** More flags that are wrong than anybody has. */
const maxWrongFlags = 50;

/** A command line of the original as our program sees it. */
export interface AdoptedFlags {
  readonly steps: readonly Step[];
  /** Without the flags that there are not here; undefined: it cannot be parsed. */
  readonly part: Part | undefined;
}

/** What differs, and what is to be edited, in the flags of a program. */
export async function flagSteps(planned: PlannedProgram): Promise<AdoptedFlags> {
  const subject = planned.pod?.label ?? planned.label;
  const steps: Step[] = [];
  const migration = `docs/migration.md#proxy-${planned.role}`;
  const edit = (text: string, chapter = migration) => steps.push({ kind: "edit", subject, text, chapter });
  const differs = (text: string, chapter: string) => steps.push({ kind: "differs", subject, text, chapter });
  const { flags } = planned.role === "server" ? serverProgram : agentProgram;
  const reference = `docs/reference.md#flags-of-proxy-${planned.role}`;
  const known = [...planned.flags];
  let parsed: ParsedPart;
  for (let wrong = 0;; wrong++) {
    parsed = partOf({ ...planned, flags: known }, () => undefined, () => false);
    if (parsed.kind === "part" || wrong === maxWrongFlags) break;
    const [, name] = /^unknown flag: --(.+)$/.exec(parsed.message) ?? [];
    const at = known.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    if (name === undefined || at < 0) break;
    const [word = ""] = known.splice(at, 1);
    // What stands behind it by itself is its value, as far as can be told.
    const value = word.includes("=") || known[at] === undefined || known[at].startsWith("-") ? [] : known.splice(at, 1);
    edit(`take ${[word, ...value].join(" ")} out: there is no such flag`, reference);
  }
  if (parsed.kind === "refused") {
    edit(`the program refuses to start: ${parsed.message}`, reference);
    return { steps, part: undefined };
  }
  const { part, notices } = parsed;
  const validation = await validate(part, readable);
  if (validation.kind === "refused") {
    const refusal = refusalOf(`proxy-${part.role}`, validation.message);
    if (refusal !== undefined) {
      const said = validation.message.replace(/^failed to validate \w+ options with /, "");
      const shown = said.length > longestShown ? "" : ` (${said})`;
      edit(`it refuses ${refusal.what}${shown}, because ${refusal.why}; instead: ${refusal.instead}`);
    } else {edit(
        `${await isRefusedByOriginal(part) ? "both programs refuse" : "it refuses"} to start: ${validation.message}`,
      );}
  } else for (const warning of validation.warnings) differs(warning, reference);
  for (const notice of notices) differs(notice, reference);
  for (const text of differences(flags, known)) differs(text, "docs/reference.md#where-flags-differ-on-purpose");
  return { steps, part };
}

async function isRefusedByOriginal(part: Part): Promise<boolean> {
  const fault = part.role === "server"
    ? await originalServerFault(part.options, readable)
    : await originalAgentFault(part.options, readable);
  return fault !== undefined;
}

/** Defaults that are others, and flags that do nothing. */
function differences(flags: readonly Flag[], args: readonly string[]): string[] {
  const given = (name: string): boolean => {
    try {
      return parseArgs(flags, args).values.given(name);
    } catch (error) {
      if (error instanceof FlagError) return false;
      throw error;
    }
  };
  return flags.flatMap(({ name, default: own, originalDefault, help }) => {
    if (originalDefault !== undefined && !given(name)) {
      return [`--${name} is not set, and its default is ${own} where the original's is ${originalDefault}`];
    }
    const [, why] = /^accepted (?:for compatibility|without effect)[^:]*: (.*)$/.exec(help) ?? [];
    return why !== undefined && given(name) ? [`--${name} is taken and does nothing: ${why}`] : [];
  });
}
