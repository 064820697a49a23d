import { clientFault } from "../../runtime/tls/pem.ts";
import type { ApiCredentials } from "./api_access.ts";
import { KubeError } from "../client/kube_error.ts";

/** @throws {KubeError} `bad-credentials` where certificates and key cannot be used */
export function checkCredentials(credentials: ApiCredentials): void {
  const fault = clientFault(credentials);
  if (fault !== undefined) throw new KubeError("bad-credentials", fault);
}
