import { proxyVariables, readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import type { ApiAccess } from "../../kube/access/api_access.ts";
import { podApi, podSecrets } from "../../kube/access/pod_api.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import type { Env } from "../../flags/program.ts";
import { formatHostPort, hostPortOf } from "../../wire/destination/host_port.ts";
import type { ProgramCode } from "./program_code.ts";

/** What reaching the Kubernetes API takes: entries of the runtime's permissions. */
export interface KubeAccess {
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly env: readonly string[];
}

/** What it is found out from. */
export interface KubeHost {
  readonly env: Env;
  readonly readText: (path: string) => string;
  /** Absent: none of it is asked for. */
  readonly code?: ProgramCode;
}

export const noKubeAccess: KubeAccess = { net: [], read: [], env: [] };

/**
 * What reaching the API with this kubeconfig takes; empty: with the configuration that a pod has. It is read as the program
 * reads it. One that cannot be used grants no more than to read it, so that the program itself can say what is wrong.
 * @throws {ProxySettingsError} when the environment's proxy counts and cannot be used
 */
export async function kubeAccessOf(
  kubeconfig: string,
  { env, readText, code }: KubeHost,
): Promise<KubeAccess> {
  if (kubeconfig === "") return podAccess(env);
  const reader = code?.kubeconfig ?? [];
  // Most programs run in pods and need no YAML.
  const { parseKubeconfig } = await import("../../kube/access/kubeconfig.ts");
  let access: ReturnType<typeof parseKubeconfig>;
  try {
    access = parseKubeconfig(readText(kubeconfig), kubeconfig, systemClock);
  } catch {
    return { ...noKubeAccess, read: [kubeconfig, ...reader] };
  }
  return { net: [dialled(access, env)], read: [kubeconfig, ...access.files, ...reader], env: proxyVariables };
}

function podAccess(env: Env): KubeAccess {
  let server: URL | undefined;
  try {
    server = podApi(env);
  } catch {
    // Outside of a pod the program says so.
  }
  return {
    net: server === undefined ? [] : [dialled({ server }, env)],
    read: [podSecrets],
    env: ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", ...proxyVariables],
  };
}

/** Whom the program connects to: the API, or the proxy that connects to it. */
function dialled({ server, proxy }: Pick<ApiAccess, "server" | "proxy">, env: Env): string {
  const target = hostPortOf(server);
  // A kubeconfig's own proxy comes first: the environment's then does not count, and may be unusable.
  const named = proxy ?? (server.protocol === "https:" ? readProxySettings(env)(target.host, target.port) : undefined);
  const { host, port } = named ?? target;
  return formatHostPort(host, port);
}
