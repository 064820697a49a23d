import { formatHostPort } from "../../wire/destination/host_port.ts";
import { ApiAccessError } from "./api_access.ts";

/** Where a pod finds its token and the API's CA. */
export const podSecrets = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The address of the API, as a pod's environment names it.
 * @param env reads an environment variable
 * @throws {ApiAccessError} outside of a pod
 */
export function podApi(env: (name: string) => string | undefined): URL {
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
  return new URL(url);
}
