import { ProxySettingsError, readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import { type ParsedFlags, refusalText } from "../../flags/program.ts";
import { parseAgentFlags } from "../agent/agent_flags.ts";
import { parseServerFlags } from "../server/server_flags.ts";
import { needsKubernetes } from "../server/server_validation.ts";
import { parseTestClientFlags } from "../test/test_client_flags.ts";
import { parseTestServerFlags } from "../test/test_server_flags.ts";
import { kubeAccessOf, type KubeHost, noKubeAccess } from "./kube_access.ts";
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

/** Where to look up what a command line does not say. */
export interface LookupHost extends KubeHost {
  readonly cwd: string;
}

/** What a command line may do, as flags of `deno run`, or the text of its refusal. */
export type RolePermissions =
  | { readonly kind: "flags"; readonly flags: readonly string[] }
  | { readonly kind: "error"; /** For stderr. */ readonly text: string };

/** Finds the permissions of one role's command line. */
export type RoleQuestion = (args: readonly string[], host: LookupHost) => Promise<RolePermissions>;

const nothing: Permissions = { net: [], read: [], write: [], env: [], sys: [] };

export const serverQuestion: RoleQuestion = (args, host) =>
  permissionFlags(
    parseServerFlags(args, host.env),
    async (options) => serverPermissions(options, await contextOf(host, needsKubernetes(options), options.kubeconfig)),
  );

export const agentQuestion: RoleQuestion = (args, host) =>
  permissionFlags(
    parseAgentFlags(args, host.env),
    async (options) =>
      agentPermissions(options, {
        ...await contextOf(host, options.countServerLeases, options.kubeconfig),
        proxyFor: readProxySettings(host.env),
      }),
  );

export const testClientQuestion: RoleQuestion = (args, host) =>
  permissionFlags(
    parseTestClientFlags(args),
    async (options) => testClientPermissions(options, await contextOf(host, false, "")),
  );

export const testServerQuestion: RoleQuestion = (args) =>
  permissionFlags(parseTestServerFlags(args), testServerPermissions);

/** The programs that serve and test; beside them there is konnectivity, which brings much more code. */
export const programQuestions = {
  "server": serverQuestion,
  "agent": agentQuestion,
  "test-client": testClientQuestion,
  "test-server": testServerQuestion,
} as const satisfies Readonly<Record<string, RoleQuestion>>;

async function contextOf(host: LookupHost, kubernetes: boolean, kubeconfig: string): Promise<PermissionContext> {
  return {
    cwd: host.cwd,
    kube: kubernetes ? await kubeAccessOf(kubeconfig, host) : noKubeAccess,
    names: nameAccessOf(host.readText),
    ...(host.code === undefined ? {} : { code: host.code }),
  };
}

/** The permissions of parsed flags, as flags of `deno run`. A command line that asks for help needs nothing. */
export async function permissionFlags<Options>(
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
