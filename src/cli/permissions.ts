import { resolve } from "node:path";
import type { AgentOptions } from "./agent_options.ts";
import { type KubeAccess, noKubeAccess } from "./kube_access.ts";
import type { LoggingOptions } from "./logging_options.ts";
import { netEntryFault } from "./net_entry.ts";
import type { ServerOptions } from "./server_options.ts";
import type { TestClientOptions, TestServerOptions } from "./test_options.ts";

/** What a program may do, in entries of the runtime's permissions. Everything else is refused. */
export interface Permissions {
  /** Who may be dialled and where may be listened (the runtime has one list for both); true: anyone and anywhere. */
  readonly net: true | readonly string[];
  /** Files and folders. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly env: readonly string[];
  /** System information: the runtime's profiler is behind it, and cannot be had without the rest. */
  readonly sys: boolean;
}

/** A path cannot be named in a list of permissions. */
export class PermissionsError extends Error {
  override readonly name = "PermissionsError";
  readonly code = "bad-permission-path";
}

/** Where to look things up that options do not say. */
export interface PermissionContext {
  /** The folder that relative paths start at. */
  readonly cwd: string;
  /** What reaching the Kubernetes API takes, where the program does that. */
  readonly kube?: KubeAccess;
  /** Where the program's own code lies: the runtime loads it freely, but asks when a worker is to run it. */
  readonly code?: readonly string[];
}

/** proxy-server: listens on its own ports or socket, reads its certificates, dials nobody but the Kubernetes API. */
export function serverPermissions(
  options: ServerOptions,
  { cwd, kube = noKubeAccess, code = [] }: PermissionContext,
): Permissions {
  const socket = options.udsName === "" ? [] : [resolve(cwd, options.udsName)];
  return {
    net: [
      ...socket.map((path) => `unix:${path}`),
      ...(options.udsName === "" ? listenEntries(options.serverBindAddress, options.serverPort) : []),
      ...listenEntries(options.agentBindAddress, options.agentPort),
      ...listenEntries(options.adminBindAddress, options.adminPort),
      ...listenEntries(options.healthBindAddress, options.healthPort),
      ...kube.net,
    ],
    read: [
      ...socket,
      ...given(options.serverCert, options.serverKey, options.serverCaCert),
      ...given(options.clusterCert, options.clusterKey, options.clusterCaCert),
      ...given(options.kubeconfig),
      ...kube.read,
      ...(options.workers > 1 ? code : []),
    ],
    write: [...socket, ...logFiles(options.logging)],
    env: ["PROXY_SERVER_ID", ...kube.env],
    sys: options.enableProfiling,
  };
}

/**
 * proxy-agent: dials the proxy servers and its destinations, listens on its health and admin ports. Without
 * `--destinations` it may dial anyone, which is what it is for; the runtime then cannot keep it from listening elsewhere
 * either.
 */
export function agentPermissions(options: AgentOptions, { kube = noKubeAccess }: PermissionContext): Permissions {
  const listed = [
    ...options.proxyServerHosts.map((host) => netEntry(host, options.proxyServerPort)),
    ...listenEntries(options.healthServerHost, options.healthServerPort),
    ...listenEntries(options.adminBindAddress, options.adminServerPort),
    ...options.destinations,
    ...kube.net,
  ];
  return {
    net: options.destinations.length === 0 ? true : listed,
    read: [
      ...given(
        options.agentCert,
        options.agentKey,
        options.caCert,
        options.serviceAccountTokenPath,
        options.kubeconfig,
      ),
      ...kube.read,
    ],
    write: logFiles(options.logging),
    env: ["PROXY_AGENT_ID", ...kube.env],
    sys: options.enableProfiling,
  };
}

/** proxy-test-client: dials the proxy and nobody else; its requests go through the tunnel. */
export function testClientPermissions(options: TestClientOptions, { cwd }: PermissionContext): Permissions {
  const socket = options.proxyUds === "" ? [] : [resolve(cwd, options.proxyUds)];
  return {
    net: socket.length > 0 ? socket.map((path) => `unix:${path}`) : [netEntry(options.proxyHost, options.proxyPort)],
    read: [...socket, ...given(options.clientCert, options.clientKey, options.caCert)],
    write: [...socket, ...logFiles(options.logging)],
    env: [],
    sys: false,
  };
}

/** http-test-server: listens on its port. */
export function testServerPermissions(options: TestServerOptions): Permissions {
  return {
    net: listenEntries(options.bindAddress, options.serverPort),
    read: [],
    write: logFiles(options.logging),
    env: [],
    sys: false,
  };
}

/**
 * The permissions as flags of `deno run`. What is not granted is refused without a question; running programs, native
 * libraries, system information and remote code are refused by name, so that no other flag brings them back.
 * @throws {PermissionsError} when a path holds a comma, which the runtime's lists cannot express
 */
export function denoFlags({ net, read, write, env, sys }: Permissions): string[] {
  // An entry that the runtime cannot parse would keep it from starting; without it the program refuses the option itself.
  const hosts = net === true
    ? []
    : net.filter((entry) => entry.startsWith("unix:") || netEntryFault(entry) === undefined);
  return [
    "--no-prompt",
    ...(net === true ? ["--allow-net"] : listFlag("--allow-net", hosts)),
    ...listFlag("--allow-read", read),
    ...listFlag("--allow-write", write),
    ...listFlag("--allow-env", env),
    // Packages that read other variables get undefined instead of an error.
    "--ignore-env",
    "--deny-run",
    "--deny-ffi",
    sys ? "--allow-sys" : "--deny-sys",
    "--deny-import",
  ];
}

function listFlag(flag: string, entries: readonly string[]): string[] {
  const comma = entries.find((entry) => entry.includes(","));
  if (comma !== undefined) {
    throw new PermissionsError(`${comma} holds a comma, which a list of permissions cannot express; use another path`);
  }
  return entries.length === 0 ? [] : [`${flag}=${[...new Set(entries)].join(",")}`];
}

/** Every address of the machine is two entries, one a family; localhost is a name that leads to two addresses. */
function listenEntries(host: string, port: number): string[] {
  const hosts = host === "" ? ["0.0.0.0", "::"] : host === "localhost" ? ["localhost", "127.0.0.1", "::1"] : [host];
  return hosts.map((each) => netEntry(each, port));
}

function netEntry(host: string, port: number): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  return bare.includes(":") ? `[${bare}]:${port}` : `${bare}:${port}`;
}

/**
 * The paths that are set. A path allows what it leads to at the time of reading, so it needs no more where files are
 * replaced, also by the swap of a symbolic link as Kubernetes does it; their folders often hold what is not the program's.
 */
function given(...paths: readonly string[]): string[] {
  return paths.filter((path) => path !== "");
}

function logFiles({ logtostderr, logFile, logDir }: LoggingOptions): string[] {
  if (logtostderr) return [];
  return [logFile || logDir || "/tmp"];
}
