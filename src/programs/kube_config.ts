import type { ApiAccess } from "../kube/access/api_access.ts";
import { loadApiAccess } from "../kube/access/load_access.ts";
import type { Clock } from "../runtime/clock.ts";

/** It cannot be found out how to reach the Kubernetes API. */
export class KubeConfigError extends Error {
  override readonly name = "KubeConfigError";
  readonly code = "bad-kubernetes-config";
}

/**
 * Finds out how to reach the Kubernetes API, as a program starts.
 * @param kubeconfig a path; empty: with what a pod has
 * @throws {KubeConfigError} in the original's words, with the cause
 */
export async function kubeAccess(kubeconfig: string, clock: Clock): Promise<ApiAccess> {
  try {
    return await loadApiAccess(kubeconfig, (name) => Deno.env.get(name), clock);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const what = kubeconfig === "" ? "in cluster kubernetes client config" : "kubernetes client config";
    throw new KubeConfigError(`failed to load ${what}: ${why}`, { cause });
  }
}
