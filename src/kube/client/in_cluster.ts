import type { Clock } from "../../runtime/clock.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { type ApiAccess, ApiAccessError } from "./api_access.ts";
import { FreshFile } from "./fresh_file.ts";

/** Where a pod finds its token and the API's CA. */
export const podSecrets = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * What a pod knows of its API: the address by environment variables, token and CA by files that the kubelet replaces.
 * @param env reads an environment variable
 * @throws {ApiAccessError} outside of a pod
 */
export function inClusterAccess(
  env: (name: string) => string | undefined,
  clock: Clock,
  secrets: string = podSecrets,
): ApiAccess {
  const host = env("KUBERNETES_SERVICE_HOST") ?? "";
  const port = env("KUBERNETES_SERVICE_PORT") ?? "";
  if (host === "" || port === "") {
    throw new ApiAccessError(
      "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined; " +
        "outside of a pod give --kubeconfig",
    );
  }
  const url = `https://${formatHostPort(host, Number(port))}`;
  if (!URL.canParse(url)) {
    throw new ApiAccessError(`KUBERNETES_SERVICE_HOST ${host} and KUBERNETES_SERVICE_PORT ${port} are no address`);
  }
  const token = new FreshFile(`${secrets}/token`, "the pod's token", clock);
  const ca = new FreshFile(`${secrets}/ca.crt`, "the pod's certificate authority", clock);
  return {
    server: new URL(url),
    insecure: false,
    credentials: async () => ({ ca: await ca.text(), authorization: `Bearer ${(await token.text()).trim()}` }),
    expire: () => token.expire(),
  };
}
