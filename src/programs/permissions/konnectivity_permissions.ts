import { dirname, resolve } from "node:path";
import { ProxySettingsError, proxyVariables, readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import type { Env } from "../../flags/program.ts";
import { hostPortOf } from "../../wire/destination/host_port.ts";
import { descriptorLimitVariable } from "../descriptor_limit.ts";
import type { KonnectivityCommand } from "../konnectivity/konnectivity_flags.ts";
import type { CheckOptions } from "../konnectivity/check/check_command.ts";
import type { DiagOptions } from "../konnectivity/diag/diag_command.ts";
import { styleVariables } from "../konnectivity/text_style.ts";
import { memoryLimitVariable } from "../memory_limit.ts";
import { type KubeAccess, kubeAccessOf, noKubeAccess } from "./kube_access.ts";
import { nameAccessOf } from "./name_access.ts";
import type { LookupHost } from "./role_permissions.ts";
import { holdsName, listenEntries, netEntry, type Permissions } from "./permissions.ts";

/** konnectivity: each subcommand reaches what its command line names, and nothing else. */
export async function konnectivityPermissions(command: KonnectivityCommand, host: LookupHost): Promise<Permissions> {
  switch (command.kind) {
    case "status":
    case "tap":
      return { net: command.options.admin.map(adminEntry), read: [], write: [], env: styleVariables, sys: [] };
    case "check":
      return await checkPermissions(command.options, host);
    case "diag":
      return await diagPermissions(command.options, host);
    case "completion":
      return { net: [], read: [], write: [], env: [], sys: [] };
  }
}

/** The runtime resolves a name by itself, where its entry is the name. */
function adminEntry(admin: URL): string {
  const { host, port } = hostPortOf(admin);
  return netEntry(host, port);
}

/** What a check of the same command line may do, logs, health ports, and the archive. */
async function diagPermissions(options: DiagOptions, host: LookupHost): Promise<Permissions> {
  const { unfinishedPath } = await import("../konnectivity/diag/archive_file.ts");
  const checked = await checkPermissions(options.check, host);
  const { net, read, write, env } = checked;
  const archive = options.output === "-" ? [] : [options.output, unfinishedPath(options.output)];
  const asked = [...options.admin.map(adminEntry), ...options.health.map((each) => netEntry(each.host, each.port))];
  return {
    net: net === true ? true : [...asked, ...net],
    // Whether there is such a file is looked at before, and what is renamed is read.
    read: [...options.logs, ...archive, ...read],
    write: [...archive, ...write],
    env,
    sys: ["osRelease"],
  };
}

/** What the programs that are checked read and reach, without what they would write or dial for their clients. */
async function checkPermissions(options: CheckOptions, host: LookupHost): Promise<Permissions> {
  const { filesOf, partOf } = await import("../konnectivity/check/part.ts");
  const { portsOf } = await import("../konnectivity/check/check_listeners.ts");
  const { asksKubernetes } = await import("../konnectivity/check/check_kubernetes.ts");
  const net: string[] = options.admin.map(adminEntry);
  const read: string[] = [options.manifest, options.adopt, options.egressSelector].filter((path) => path !== "");
  const write: string[] = [];
  const env: string[] = [];
  const exists = (path: string) => {
    try {
      return host.readText(path) !== undefined;
    } catch {
      return false;
    }
  };
  for (const planned of await plannedOf(options, host)) {
    const parsed = partOf(planned, host.env, exists);
    if (parsed.kind === "refused") continue;
    const { part } = parsed;
    for (const path of filesOf(part).values()) {
      const local = part.local(path);
      if (local !== undefined) read.push(local);
    }
    if (part.pod !== undefined) continue;
    env.push("PROXY_SERVER_ID", "PROXY_AGENT_ID", descriptorLimitVariable, memoryLimitVariable, ...proxyVariables);
    for (const each of portsOf(part)) net.push(...listenEntries(each.host, each.port));
    if (part.role === "server" && part.options.udsName !== "") {
      const socket = resolve(host.cwd, part.options.udsName);
      net.push(`unix:${socket}`);
      read.push(socket, dirname(socket));
      // To connect to a socket is to write to it.
      write.push(socket);
    }
    const ways = part.role === "agent"
      ? waysTo(part.options.proxyServerHosts, part.options.proxyServerPort, host.env)
      : [];
    const kube = asksKubernetes(part) ? await kubeAccess(part.options.kubeconfig, host) : noKubeAccess;
    net.push(...ways, ...kube.net);
    read.push(...kube.read);
    env.push(...kube.env);
    if (![...ways, ...kube.net].some(holdsName)) continue;
    const names = nameAccessOf(host.readText);
    net.push(...names.net);
    read.push(...names.read);
  }
  return { net: [...new Set(net)], read, write, env: [...styleVariables, ...env], sys: [] };
}

/** What cannot be read or parsed is said by the check itself. */
async function plannedOf({ flags, manifest }: CheckOptions, { readText }: LookupHost) {
  const { plannedPrograms } = await import("../konnectivity/manifest/manifest.ts");
  const own = flags === undefined ? [] : [{ role: flags.role, flags: flags.args, label: "", env: {} }];
  if (manifest === "") return own;
  try {
    return [...own, ...plannedPrograms(readText(manifest), manifest)];
  } catch {
    return own;
  }
}

function waysTo(hosts: readonly string[], port: number, env: Env): string[] {
  try {
    const proxyFor = readProxySettings(env);
    return hosts.map((host) => {
      const way = proxyFor(host, port) ?? { host, port };
      return netEntry(way.host, way.port);
    });
  } catch (error) {
    // The check says so.
    if (error instanceof ProxySettingsError) return [];
    throw error;
  }
}

async function kubeAccess(kubeconfig: string, host: LookupHost): Promise<KubeAccess> {
  try {
    return await kubeAccessOf(kubeconfig, host);
  } catch (error) {
    if (error instanceof ProxySettingsError) return noKubeAccess;
    throw error;
  }
}
