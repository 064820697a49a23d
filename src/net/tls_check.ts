import { createPrivateKey, X509Certificate } from "node:crypto";
import type { TlsMaterial } from "./tls_files.ts";

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Looks for faults in certificates and keys that the runtime would notice only at a handshake, and then with a
 * misleading error.
 * @returns what is wrong, or undefined
 */
export function tlsFault(material: TlsMaterial): string | undefined {
  const { ca, cert, key } = material;
  if (ca !== undefined && certificates(ca) === undefined) return "the CA is no PEM text with valid certificates";
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) return "certificate and key must be given together";
  const chain = certificates(cert);
  if (chain === undefined) return "the client certificate is no PEM text with valid certificates";
  try {
    if (chain[0]?.checkPrivateKey(createPrivateKey(key)) === true) return undefined;
    return "the private key does not belong to the client certificate";
  } catch (error) {
    return `the private key cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function certificates(pem: string): X509Certificate[] | undefined {
  try {
    const found = [...pem.matchAll(block)].map(([text]) => new X509Certificate(text));
    return found.length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}
