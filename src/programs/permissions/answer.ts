import { dirname, join } from "node:path";
import { refusalText } from "../../flags/program.ts";
import type { ProgramCode } from "./program_code.ts";
import type { LookupHost, RoleQuestion } from "./role_permissions.ts";

/** What the command needs of the process around it; tests hand in their own. */
export interface PermissionsHost extends LookupHost {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

const help = (roles: string) =>
  `Prints the exact permissions that a program needs for its command line, as flags of "deno run", one a line.

Usage:
  permissions ${roles} [flags of the program]
`;

/**
 * `permissions ROLE FLAGS…`: prints one flag a line to stdout.
 * @param questions by role
 * @returns the exit code
 */
export async function answerPermissions(
  questions: ReadonlyMap<string, RoleQuestion>,
  args: readonly string[],
  host: PermissionsHost,
): Promise<number> {
  const [name, ...flags] = args;
  const roles = [...questions.keys()];
  if (name === "--help" || name === "-h") {
    host.out(help(roles.join("|")));
    return 0;
  }
  const question = questions.get(name ?? "");
  if (question === undefined) {
    host.error(
      refusalText(
        `unknown program ${JSON.stringify(name ?? "")}, one of ${roles.join(", ")} is needed`,
        help(roles.join("|")),
      ),
    );
    return 1;
  }
  const result = await question(flags, host);
  if (result.kind === "error") {
    host.error(result.text);
    return 1;
  }
  host.out(result.flags.join("\n") + "\n");
  return 0;
}

/** The code of a role that was built into one file, which loads others beside it when they are needed. */
export function roleCode(file: string): ProgramCode {
  const beside = (name: string) => join(dirname(file), name);
  return { own: [file], kubeconfig: [beside("kubeconfig.js")], page: [beside("page.js")] };
}

/** The process around the command. */
export function processHost(code: ProgramCode): PermissionsHost {
  const encoder = new TextEncoder();
  return {
    cwd: Deno.cwd(),
    env: (name) => Deno.env.get(name),
    readText: readRegularFile,
    code,
    out: (text) => writeOut(encoder.encode(text)),
    error: (text) => Deno.stderr.writeSync(encoder.encode(text)),
  };
}

/** A pipe would be waited for, and what is in it is the program's; a device may go on for ever. */
function readRegularFile(path: string): string {
  if (!Deno.statSync(path).isFile) throw new Error(`${path} is no regular file`);
  return Deno.readTextFileSync(path);
}

/** Without an error where nobody reads any more: a launcher may be ended while it asks. */
function writeOut(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
