import { fileURLToPath } from "node:url";
import { parseAgentFlags } from "../agent/agent_flags.ts";
import { ProxySettingsError, readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import { parseKonnectivityFlags } from "../konnectivity/konnectivity_flags.ts";
import { konnectivityPermissions } from "./konnectivity_permissions.ts";
import { kubeAccessOf, noKubeAccess } from "./kube_access.ts";
import { nameAccessOf } from "./name_access.ts";
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
import { type Env, type ParsedFlags, refusalText } from "../../flags/program.ts";
import { parseServerFlags } from "../server/server_flags.ts";
import { needsKubernetes } from "../server/server_validation.ts";
import { parseTestClientFlags } from "../test/test_client_flags.ts";
import { parseTestServerFlags } from "../test/test_server_flags.ts";

/** The programs whose permissions follow from their flags. */
export const roles = ["server", "agent", "test-client", "test-server", "konnectivity"] as const;
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

const nothing: Permissions = { net: [], read: [], write: [], env: [], sys: [] };

/**
 * The permissions for one command line of a role: exactly what it needs, as flags of `deno run`. A command line that asks
 * for help needs nothing.
 */
export async function permissionsFor(
  role: Role,
  args: readonly string[],
  host: Omit<PermissionsHost, "out" | "error">,
): Promise<RolePermissions> {
  const context = async (needed: boolean, kubeconfig: string): Promise<PermissionContext> => ({
    cwd: host.cwd,
    kube: needed ? await kubeAccessOf(kubeconfig, host.env, host.readText) : noKubeAccess,
    names: nameAccessOf(host.readText),
    code: host.code ?? [],
  });
  switch (role) {
    case "server":
      return await flagsOf(
        parseServerFlags(args, host.env),
        async (options) => serverPermissions(options, await context(needsKubernetes(options), options.kubeconfig)),
      );
    case "agent":
      return await flagsOf(
        parseAgentFlags(args, host.env),
        async (options) =>
          agentPermissions(options, {
            ...await context(options.countServerLeases, options.kubeconfig),
            proxyFor: readProxySettings(host.env),
          }),
      );
    case "test-client":
      return await flagsOf(
        parseTestClientFlags(args),
        async (options) => testClientPermissions(options, await context(false, "")),
      );
    case "test-server":
      return await flagsOf(parseTestServerFlags(args), testServerPermissions);
    case "konnectivity":
      return await flagsOf(parseKonnectivityFlags(args), (command) => konnectivityPermissions(command, host));
  }
}

async function flagsOf<Options>(
  parsed: ParsedFlags<Options>,
  permissions: (options: Options) => Permissions | Promise<Permissions>,
): Promise<RolePermissions> {
  switch (parsed.kind) {
    case "help":
    case "version":
      return { kind: "flags", flags: denoFlags(nothing) };
    case "error":
      return { kind: "error", text: refusalText(parsed.message, parsed.usage) };
    case "options":
      try {
        return { kind: "flags", flags: denoFlags(await permissions(parsed.options)) };
      } catch (error) {
        if (error instanceof PermissionsError || error instanceof ProxySettingsError) {
          return { kind: "error", text: `Error: ${error.message}\n` };
        }
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
export async function runPermissionsCommand(
  args: readonly string[],
  host: PermissionsHost = processHost(),
): Promise<number> {
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
  const result = await permissionsFor(role, flags, host);
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
    readText: readRegularFile,
    code: ownCode(import.meta.url, Deno.mainModule),
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

/**
 * The program's files: one where it was built into one, else the entry module and what lies beside it.
 * @param here address of this module
 */
export function ownCode(here: string, entry: string): readonly string[] {
  const path = fileURLToPath(entry);
  if (here === entry) return [path];
  return [path, ...["src", "gen", "deno.json"].map((each) => fileURLToPath(new URL(each, entry)))];
}
