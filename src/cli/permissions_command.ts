import { fileURLToPath } from "node:url";
import { parseAgentFlags } from "./agent_flags.ts";
import { kubeAccessOf, noKubeAccess } from "./kube_access.ts";
import {
  agentPermissions,
  denoFlags,
  type PermissionContext,
  type Permissions,
  PermissionsError,
  serverPermissions,
  testClientPermissions,
  testServerPermissions,
} from "./permissions.ts";
import { type Env, type ParsedFlags, refusalText } from "./program.ts";
import { parseServerFlags } from "./server_flags.ts";
import { needsKubernetes } from "./server_validation.ts";
import { parseTestClientFlags } from "./test_client_flags.ts";
import { parseTestServerFlags } from "./test_server_flags.ts";

/** The programs whose permissions follow from their flags. */
export const roles = ["server", "agent", "test-client", "test-server"] as const;
export type Role = typeof roles[number];

/** What the command needs of the process around it; tests hand in their own. */
export interface PermissionsHost {
  readonly cwd: string;
  readonly env: Env;
  readonly readText: (path: string) => string;
  /** Where the program's own code lies. */
  readonly code?: readonly string[];
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

/** What a command line may do, as flags of `deno run`, or the text of its refusal. */
export type RolePermissions =
  | { readonly kind: "flags"; readonly flags: readonly string[] }
  | { readonly kind: "error"; /** For stderr. */ readonly text: string };

const nothing: Permissions = { net: [], read: [], write: [], env: [], sys: false };

/**
 * The permissions for one command line of a role: exactly what it needs, as flags of `deno run`. A command line that asks
 * for help needs nothing.
 */
export function permissionsFor(
  role: Role,
  args: readonly string[],
  host: Omit<PermissionsHost, "out" | "error">,
): RolePermissions {
  const kube = (needed: boolean, kubeconfig: string): PermissionContext => ({
    cwd: host.cwd,
    kube: needed ? kubeAccessOf(kubeconfig, host.env, host.readText) : noKubeAccess,
    code: host.code ?? [],
  });
  switch (role) {
    case "server":
      return flagsOf(
        parseServerFlags(args, host.env),
        (options) => serverPermissions(options, kube(needsKubernetes(options), options.kubeconfig)),
      );
    case "agent":
      return flagsOf(
        parseAgentFlags(args, host.env),
        (options) => agentPermissions(options, kube(options.countServerLeases, options.kubeconfig)),
      );
    case "test-client":
      return flagsOf(parseTestClientFlags(args), (options) => testClientPermissions(options, { cwd: host.cwd }));
    case "test-server":
      return flagsOf(parseTestServerFlags(args), testServerPermissions);
  }
}

function flagsOf<Options>(
  parsed: ParsedFlags<Options>,
  permissions: (options: Options) => Permissions,
): RolePermissions {
  switch (parsed.kind) {
    case "help":
    case "version":
      return { kind: "flags", flags: denoFlags(nothing) };
    case "error":
      return { kind: "error", text: refusalText(parsed.message, parsed.usage) };
    case "options":
      try {
        return { kind: "flags", flags: denoFlags(permissions(parsed.options)) };
      } catch (error) {
        if (error instanceof PermissionsError) return { kind: "error", text: `Error: ${error.message}\n` };
        throw error;
      }
  }
}

const help =
  `Prints the exact permissions that a program needs for its command line, as flags of "deno run", one a line.

Usage:
  permissions ${roles.join("|")} [flags of the program]
`;

/**
 * `main.ts permissions ROLE FLAGS…`: prints one flag a line to stdout.
 * @returns the exit code
 */
export function runPermissionsCommand(args: readonly string[], host: PermissionsHost = processHost()): number {
  const [name, ...flags] = args;
  if (name === "--help" || name === "-h") {
    host.out(help);
    return 0;
  }
  const role = roles.find((each) => each === name);
  if (role === undefined) {
    host.error(
      refusalText(`unknown program ${JSON.stringify(name ?? "")}, one of ${roles.join(", ")} is needed`, help),
    );
    return 1;
  }
  const result = permissionsFor(role, flags, host);
  if (result.kind === "error") {
    host.error(result.text);
    return 1;
  }
  host.out(result.flags.join("\n") + "\n");
  return 0;
}

function processHost(): PermissionsHost {
  const encoder = new TextEncoder();
  return {
    cwd: Deno.cwd(),
    env: (name) => Deno.env.get(name),
    readText: (path) => Deno.readTextFileSync(path),
    code: ownCode(import.meta.url, Deno.mainModule),
    out: (text) => Deno.stdout.writeSync(encoder.encode(text)),
    error: (text) => Deno.stderr.writeSync(encoder.encode(text)),
  };
}

/**
 * The program's files: one where it was built into one, else the entry module and what lies beside it.
 * @param here address of this module
 */
export function ownCode(here: string, entry: string): readonly string[] {
  const path = fileURLToPath(entry);
  if (here === entry) return [path];
  return [path, ...["src", "gen", "deno.json"].map((each) => fileURLToPath(new URL(each, entry)))];
}
