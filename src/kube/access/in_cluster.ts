import type { Clock } from "../../runtime/clock.ts";
import type { ApiAccess } from "./api_access.ts";
import { FreshFile } from "./fresh_file.ts";
import { podApi, podSecrets } from "./pod_api.ts";

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
  const server = podApi(env);
  const token = new FreshFile(`${secrets}/token`, "the pod's token", clock);
  const ca = new FreshFile(`${secrets}/ca.crt`, "the pod's certificate authority", clock);
  return {
    server,
    insecure: false,
    credentials: async () => ({ ca: await ca.text(), authorization: `Bearer ${(await token.text()).trim()}` }),
    expire: () => token.expire(),
  };
}
