import { readProxySettings } from "../../dial/proxy/proxy_settings.ts";
import { readBoundedFile } from "../../runtime/files/bounded_file.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type ApiAccess, ApiAccessError } from "./api_access.ts";
import { checkCredentials } from "./check_credentials.ts";
import { inClusterAccess } from "./in_cluster.ts";
import { textOf } from "../client/kube_error.ts";

/**
 * Finds out how to reach the API, and that everything it takes can be read.
 * @param kubeconfig a path; empty: with what a pod has
 * @param env reads an environment variable
 * @throws {ApiAccessError} {@link KubeError} `bad-credentials` saying what is missing; {@link ProxySettingsError}
 */
export async function loadApiAccess(
  kubeconfig: string,
  env: (name: string) => string | undefined,
  clock: Clock,
): Promise<ApiAccess> {
  const access = kubeconfig === "" ? inClusterAccess(env, clock) : await readKubeconfig(kubeconfig, clock);
  checkCredentials(await access.credentials());
  const { server } = access;
  // A kubeconfig's own proxy counts first, and an API without TLS has none of these settings, as with Go.
  if (access.proxy !== undefined || server.protocol !== "https:") return access;
  const proxy = readProxySettings(env)(server.hostname, Number(server.port || 443));
  return proxy === undefined ? access : { ...access, proxy };
}

async function readKubeconfig(path: string, clock: Clock): Promise<ApiAccess> {
  let text: string;
  try {
    text = await readBoundedFile(path, clock);
  } catch (cause) {
    throw new ApiAccessError(`cannot read kubeconfig ${path}: ${textOf(cause)}`, { cause });
  }
  // Most programs run in pods and need no YAML.
  const { parseKubeconfig } = await import("./kubeconfig.ts");
  return parseKubeconfig(text, path, clock);
}
