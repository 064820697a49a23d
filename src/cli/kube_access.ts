import { dirname, resolve } from "node:path";
import type { Env } from "./program.ts";

/** What reaching the Kubernetes API takes: entries of the runtime's permissions. */
export interface KubeAccess {
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly env: readonly string[];
}

export const noKubeAccess: KubeAccess = { net: [], read: [], env: [] };

/** Where a pod finds its token and the API's CA. */
const podSecrets = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * What reaching the API with this kubeconfig takes; empty: with the configuration that a pod has. Every cluster and file
 * that a kubeconfig names counts, whatever context is current. A kubeconfig that cannot be read grants no more than to
 * read it, so that the program itself can say what is wrong.
 */
export function kubeAccessOf(kubeconfig: string, env: Env, readText: (path: string) => string): KubeAccess {
  if (kubeconfig === "") return podAccess(env);
  let text: string;
  try {
    text = readText(kubeconfig);
  } catch {
    return { ...noKubeAccess, read: [kubeconfig] };
  }
  const net: string[] = [];
  const read = [kubeconfig];
  // YAML and JSON alike: these keys' values stand on the key's line.
  const entry =
    /["']?\b(server|proxy-url|certificate-authority|client-certificate|client-key|tokenFile)["']?\s*:\s*["']?([^"'\s,}]+)/g;
  for (const [, key, value = ""] of text.matchAll(entry)) {
    if (key !== "server" && key !== "proxy-url") read.push(resolve(dirname(kubeconfig), value));
    else if (URL.canParse(value)) net.push(hostPortOf(new URL(value)));
  }
  return { net, read, env: [] };
}

function podAccess(env: Env): KubeAccess {
  const host = env("KUBERNETES_SERVICE_HOST") ?? "";
  const port = env("KUBERNETES_SERVICE_PORT") || "443";
  return {
    net: host === "" ? [] : [`${host.includes(":") ? `[${host}]` : host}:${port}`],
    read: [podSecrets],
    env: ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"],
  };
}

function hostPortOf(url: URL): string {
  const port = url.port !== "" ? url.port : url.protocol === "http:" ? "80" : "443";
  return `${url.hostname}:${port}`;
}
