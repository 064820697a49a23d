import { type ApiAccess, ApiAccessError, checkCredentials } from "./api_access.ts";
import { inClusterAccess } from "./in_cluster.ts";
import { textOf } from "./kube_error.ts";

/**
 * Finds out how to reach the API, and that everything it takes can be read.
 * @param kubeconfig a path; empty: with what a pod has
 * @param env reads an environment variable
 * @throws {ApiAccessError} {@link KubeError} `bad-credentials` saying what is missing
 */
export async function loadApiAccess(
  kubeconfig: string,
  env: (name: string) => string | undefined,
): Promise<ApiAccess> {
  const access = kubeconfig === "" ? inClusterAccess(env) : await readKubeconfig(kubeconfig);
  checkCredentials(await access.credentials());
  return access;
}

async function readKubeconfig(path: string): Promise<ApiAccess> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new ApiAccessError(`cannot read kubeconfig ${path}: ${textOf(cause)}`, { cause });
  }
  // Most programs run in pods and need no YAML.
  const { parseKubeconfig } = await import("./kubeconfig.ts");
  return parseKubeconfig(text, path);
}
