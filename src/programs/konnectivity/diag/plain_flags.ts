import { redact } from "../../../logging/redact.ts";
import { agentProgram } from "../../agent/agent_flags.ts";
import { serverProgram } from "../../server/server_flags.ts";

const removed = "[removed]";

/** Names of flags whose values are secrets, or files with secrets. */
const secretName = /token|passw|secret|credential|private|(?:^|-)key$/i;

/** Flags of the programs hold paths of such files, which are no secrets. */
const known: ReadonlySet<string> = new Set(
  [serverProgram, agentProgram].flatMap(({ flags }) => flags.map(({ name }) => name)),
);

/** A path is hardly longer; a key or a token in the place of one is. */
const longestPath = 256;

/** A command line as it was given, without what is secret in it. */
export function plainFlags(args: readonly string[]): string[] {
  const shown: string[] = [];
  /** The flag whose value comes next. */
  let before = "";
  for (const arg of args) {
    const [, dashes = "", name = "", value] = /^(--?)([^=]+)(?:=([^]*))?$/.exec(arg) ?? [];
    if (dashes === "") {
      shown.push(plainValue(before, arg));
      before = "";
    } else if (value === undefined) {
      shown.push(plainText(arg));
      before = name;
    } else {
      shown.push(`${dashes}${plainText(name)}=${plainValue(name, value)}`);
      before = "";
    }
  }
  return shown;
}

function plainValue(name: string, value: string): string {
  if (!secretName.test(name)) return plainText(value);
  const isPath = known.has(name) && value.length <= longestPath && /^[\w.~/@%+ -]*$/.test(value);
  return isPath ? plainText(value) : removed;
}

/** Text without credentials: those of addresses, and those that a log would hide. */
export function plainText(text: string): string {
  return redact(text).replace(/\b([a-z][a-z\d+.-]*:\/\/)[^\s/@"']+@/gi, `$1${removed}@`);
}
