import { createPrivateKey, X509Certificate } from "node:crypto";
import { KubeError, textOf } from "./kube_error.ts";

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
  readonly proxy?: URL;
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

/**
 * Checks what the runtime notices only at each handshake, and then with a misleading error.
 * @throws {KubeError} `bad-credentials`
 */
export function checkCredentials({ ca, cert, key }: ApiCredentials): void {
  if (ca !== undefined) checkCertificates(ca, "the certificate authority");
  if (cert === undefined && key === undefined) return;
  if (cert === undefined || key === undefined) {
    throw new KubeError("bad-credentials", "a client certificate and its key are needed together, one is missing");
  }
  checkCertificates(cert, "the client certificate");
  let matches: boolean;
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new KubeError("bad-credentials", `the client key cannot be read: ${textOf(cause)}`, { cause });
  }
  if (!matches) throw new KubeError("bad-credentials", "the client key does not match the client certificate");
}

function checkCertificates(pem: string, what: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new KubeError("bad-credentials", `${what} holds no certificate in PEM`);
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw new KubeError("bad-credentials", `${what} holds a certificate that cannot be decoded`, { cause });
    }
  }
}
