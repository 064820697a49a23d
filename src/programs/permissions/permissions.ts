import { resolve } from "node:path";
import { type ProxyFor, proxyVariables } from "../../dial/proxy/proxy_settings.ts";
import { parseDestinationRule } from "../../wire/destination/destination_rule.ts";
import { bareHost, formatHostPort } from "../../wire/destination/host_port.ts";
import { bitsOf, isIp } from "../../wire/destination/ip_address.ts";
import type { AgentOptions } from "../agent/agent_options.ts";
import { type KubeAccess, noKubeAccess } from "./kube_access.ts";
import type { LoggingSettings } from "../../logging/logging_settings.ts";
import { isUnboundPort, type NameAccess, noNameAccess } from "./name_access.ts";
import { netEntryFault } from "../../flags/net_entry.ts";
import { spareDescriptorPath } from "../../runtime/files/spare_path.ts";
import { descriptorLimitVariable } from "../descriptor_limit.ts";
import { memoryLimitVariable } from "../memory_limit.ts";
import type { ServerOptions } from "../server/server_options.ts";
import type { TestClientOptions, TestServerOptions } from "../test/test_options.ts";
import { type ProgramCode, wholeCode } from "./program_code.ts";

/** What a program may do, in entries of the runtime's permissions. Everything else is refused. */
export interface Permissions {
  /** Who may be dialled and where may be listened (the runtime has one list for both); true: anyone and anywhere. */
  readonly net: true | readonly string[];
  /** Files and folders. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly env: readonly string[];
  /** System information by kind; true is all of it: the runtime's profiler is behind it, and cannot be had without the rest. */
  readonly sys: true | readonly string[];
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
  /** What resolving names takes. */
  readonly names?: NameAccess;
  /** The proxies that the environment names; absent: none. */
  readonly proxyFor?: ProxyFor;
  /** Absent: none of it is asked for. */
  readonly code?: ProgramCode;
}

/** proxy-server: listens on its own ports or socket, reads its certificates, dials nobody but the Kubernetes API or its proxy. */
export function serverPermissions(
  options: ServerOptions,
  { cwd, kube = noKubeAccess, names: allNames = noNameAccess, code = wholeCode([]) }: PermissionContext,
): Permissions {
  const socket = options.udsName === "" ? [] : [resolve(cwd, options.udsName)];
  const names = kube.net.some(holdsName) ? allNames : noNameAccess;
  const audit = options.auditLog === "-" ? "" : options.auditLog;
  const appended = [...given(audit), ...appendedFiles(options.logging)];
  return {
    net: [
      ...socket.map((path) => `unix:${path}`),
      ...(options.udsName === "" ? listenEntries(options.serverBindAddress, options.serverPort) : []),
      ...listenEntries(options.agentBindAddress, options.agentPort),
      ...listenEntries(options.adminBindAddress, options.adminPort),
      ...listenEntries(options.healthBindAddress, options.healthPort),
      ...kube.net,
      ...names.net,
    ],
    read: [
      spareDescriptorPath,
      ...socket,
      ...given(options.serverCert, options.serverKey, options.serverCaCert),
      ...given(options.clusterCert, options.clusterKey, options.clusterCaCert),
      ...given(options.kubeconfig),
      ...kube.read,
      ...names.read,
      ...code.page,
      ...(options.workers > 1 ? code.own : []),
      ...appended,
    ],
    write: [...socket, ...given(audit), ...logFiles(options.logging)],
    env: ["PROXY_SERVER_ID", descriptorLimitVariable, memoryLimitVariable, ...kube.env],
    sys: options.enableProfiling ? true : [...ownUser(appended), ...hostName(options.logging)],
  };
}

/**
 * proxy-agent: dials the proxy servers, or the proxy before them, and its destinations, listens on its health and admin ports. Without
 * `--destinations` it may dial anyone, which is what it is for; the runtime then cannot keep it from listening elsewhere
 * either. So too where an entry is more than the runtime can express: what a name leads to is not known here. The agent
 * itself checks every dial in any case.
 */
export function agentPermissions(
  options: AgentOptions,
  { kube = noKubeAccess, names = noNameAccess, proxyFor = () => undefined, code = wholeCode([]) }: PermissionContext,
): Permissions {
  const destinations = options.destinations.map(destinationEntry);
  const listed = [
    ...options.proxyServerHosts.map((host) => {
      const way = proxyFor(host, options.proxyServerPort) ?? { host, port: options.proxyServerPort };
      return netEntry(way.host, way.port);
    }),
    ...listenEntries(options.healthServerHost, options.healthServerPort),
    ...listenEntries(options.adminBindAddress, options.adminServerPort),
    ...destinations.flatMap((entry) => entry ?? []),
    ...kube.net,
    ...names.net,
  ];
  return {
    net: destinations.length === 0 || destinations.includes(undefined) ? true : listed,
    read: [
      spareDescriptorPath,
      ...given(
        options.agentCert,
        options.agentKey,
        options.caCert,
        options.serviceAccountTokenPath,
        options.kubeconfig,
      ),
      ...kube.read,
      ...names.read,
      ...code.page,
      ...appendedFiles(options.logging),
    ],
    write: logFiles(options.logging),
    env: ["PROXY_AGENT_ID", descriptorLimitVariable, memoryLimitVariable, ...proxyVariables, ...kube.env],
    // Its own ports are refused as destinations at every address of the machine.
    sys: options.enableProfiling
      ? true
      : ["networkInterfaces", ...ownUser(appendedFiles(options.logging)), ...hostName(options.logging)],
  };
}

/** proxy-test-client: dials the proxy and nobody else; its requests go through the tunnel. */
export function testClientPermissions(
  options: TestClientOptions,
  { cwd, names: allNames = noNameAccess }: PermissionContext,
): Permissions {
  const socket = options.proxyUds === "" ? [] : [resolve(cwd, options.proxyUds)];
  const proxy = netEntry(options.proxyHost, options.proxyPort);
  const names = socket.length > 0 || !holdsName(proxy) ? noNameAccess : allNames;
  const asked = options.proxyHost === "localhost" ? [] : names.net;
  return {
    net: socket.length > 0 ? socket.map((path) => `unix:${path}`) : [proxy, ...asked],
    read: [
      ...socket,
      ...given(options.clientCert, options.clientKey, options.caCert),
      ...names.read,
      ...appendedFiles(options.logging),
    ],
    write: [...socket, ...logFiles(options.logging)],
    env: [],
    sys: [...ownUser(appendedFiles(options.logging)), ...hostName(options.logging)],
  };
}

/** http-test-server: listens on its port. */
export function testServerPermissions(options: TestServerOptions): Permissions {
  return {
    net: listenEntries(options.bindAddress, options.serverPort),
    read: appendedFiles(options.logging),
    write: logFiles(options.logging),
    env: [],
    sys: [...ownUser(appendedFiles(options.logging)), ...hostName(options.logging)],
  };
}

/**
 * The permissions as flags of `deno run`. What is not granted is refused without a question; running programs, native
 * libraries, system information and remote code are refused by name, so that no other flag brings them back.
 * @throws {PermissionsError} when a path holds a comma, which the runtime's lists cannot express, or a line break: whoever
 * reads one flag a line, as the launchers do, would take what follows it for a flag of the runtime
 */
export function denoFlags({ net, read, write, env, sys }: Permissions): string[] {
  // An entry that the runtime cannot parse would keep it from starting; without it the program refuses the option itself.
  const hosts = net === true
    ? []
    : net.filter((entry) => entry.startsWith("unix:") || isUnboundPort(entry) || netEntryFault(entry) === undefined);
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
    ...(sys === true ? ["--allow-sys"] : sys.length === 0 ? ["--deny-sys"] : listFlag("--allow-sys", sys)),
    "--deny-import",
  ];
}

function listFlag(flag: string, entries: readonly string[]): string[] {
  for (const entry of entries) {
    const fault = entry.includes(",") ? "a comma" : /[\r\n]/.test(entry) ? "a line break" : undefined;
    if (fault === undefined) continue;
    const shown = JSON.stringify(entry);
    throw new PermissionsError(`${shown} holds ${fault}, which a list of permissions cannot express; use another path`);
  }
  return entries.length === 0 ? [] : [`${flag}=${[...new Set(entries)].join(",")}`];
}

/** Every address of the machine is two entries, one a family; localhost is a name that leads to two addresses. */
export function listenEntries(host: string, port: number): string[] {
  const hosts = host === "" ? ["0.0.0.0", "::"] : host === "localhost" ? ["localhost", "127.0.0.1", "::1"] : [host];
  return hosts.map((each) => netEntry(each, port));
}

/**
 * An entry of `--destinations` as the runtime has it; undefined where the runtime cannot express it. An entry that is none
 * grants nothing: the program refuses it with a message.
 */
function destinationEntry(entry: string): string | undefined {
  const rule = parseDestinationRule(entry);
  if (typeof rule === "string") return "";
  const { host, firstPort, lastPort } = rule;
  if (host.kind !== "range") return undefined;
  const { network, bits } = host.range;
  const whole = bits === bitsOf(network);
  // Neither ranges nor the zone that a link-local address is dialled with.
  if (network.kind() === "ipv6" && (!whole || network.range() === "linkLocal")) return undefined;
  const text = network.kind() === "ipv6" ? `[${network}]` : `${network}${whole ? "" : `/${bits}`}`;
  if (firstPort === lastPort) return `${text}:${firstPort}`;
  return firstPort === 0 ? text : undefined;
}

/** The host of an entry is a name, and must be resolved before it can be dialled. */
export function holdsName(entry: string): boolean {
  return !entry.startsWith("[") && !isIp(entry.replace(/:\d+$/, ""));
}

export function netEntry(host: string, port: number): string {
  return formatHostPort(bareHost(host), port);
}

/**
 * The paths that are set. A path allows what it leads to at the time of reading, so it needs no more where files are
 * replaced, also by the swap of a symbolic link as Kubernetes does it; their folders often hold what is not the program's.
 */
function given(...paths: readonly string[]): string[] {
  return paths.filter((path) => path !== "");
}

/** Logs that may be there already: what they are is looked at before they are written to. */
function appendedFiles({ logtostderr, logFile }: LoggingSettings): string[] {
  return logtostderr ? [] : given(logFile);
}

/** The user of the process, to distinguish its own symbolic links from others'. */
function ownUser(appended: readonly string[]): string[] {
  return appended.length === 0 ? [] : ["uid"];
}

/** The machine's name is in the first lines of log files, and in the names of those in a folder. */
function hostName({ logtostderr }: LoggingSettings): string[] {
  return logtostderr ? [] : ["hostname"];
}

function logFiles({ logtostderr, logFile, logDir }: LoggingSettings): string[] {
  if (logtostderr) return [];
  return [logFile || logDir || "/tmp"];
}
