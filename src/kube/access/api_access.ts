import type { HttpProxy } from "../../dial/proxy/http_proxy.ts";

/** What one call presents, and whom it trusts. */
export interface ApiCredentials {
  /** PEM. Exclusive: system roots count only where there is none. */
  readonly ca?: string;
  /** PEM. */
  readonly cert?: string;
  /** PEM. */
  readonly key?: string;
  /** The header's value. */
  readonly authorization?: string;
}

/** Where the Kubernetes API is and how it is called. */
export interface ApiAccess {
  /** Scheme, host, port, and perhaps a path before the API's own. */
  readonly server: URL;
  /** An HTTP proxy on the way, asked with CONNECT. */
  readonly proxy?: HttpProxy;
  /** What the API's certificate must be for; the URL's host where absent. */
  readonly serverName?: string;
  /** The API's certificate is not looked at. */
  readonly insecure: boolean;
  /** Read from files again when they are old. @throws {KubeError} `bad-credentials` */
  credentials(): Promise<ApiCredentials>;
  /** The API refused the credentials: has their files read again at the next call. */
  expire(): void;
}

/** A kubeconfig, or what a pod finds in its place, cannot be used. The message says where and why. */
export class ApiAccessError extends Error {
  override readonly name = "ApiAccessError";
  readonly code = "bad-kubeconfig";
}
