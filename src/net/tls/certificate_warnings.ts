import { Certificate, certificatesIn } from "../../runtime/tls/certificate.ts";
import { leafFault, type Purpose } from "../../runtime/tls/certificate_chain.ts";
import { DerError } from "../../runtime/tls/der.ts";
import { ClientTrust } from "./client_trust.ts";
import type { TlsFiles, TlsMaterial } from "./tls_files.ts";

/**
 * What peers, or this program, will refuse of certificates that were read, in words for the log: a handshake that fails
 * for it gives neither side a reason.
 * @param purpose what the own certificate is shown as
 * @param now in milliseconds since the epoch
 */
export function certificateWarnings(
  files: TlsFiles,
  material: TlsMaterial,
  purpose: Purpose,
  now: number,
): string[] {
  const warnings: string[] = [];
  if (material.cert !== undefined) warnings.push(...ownWarnings(files.cert, material.cert, purpose, now));
  if (material.ca !== undefined) {
    warnings.push(...caWarnings(files.ca, material.ca, now));
    if (purpose === "server") warnings.push(...namesWarnings(files.ca, material.ca));
  }
  return warnings;
}

function ownWarnings(path: string, pem: string, purpose: Purpose, now: number): string[] {
  let leaf: Certificate;
  try {
    leaf = new Certificate(pem);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return [`the certificate in ${path} is no sound DER and cannot be used: ${error.message}`];
  }
  const fault = leafFault(leaf, purpose, now);
  if (fault !== undefined) return [`peers will refuse the certificate in ${path}, which ${fault.message}`];
  if (purpose === "client" || leaf.hasAltNames) return [];
  return [
    `peers will refuse the certificate in ${path}, which has no subjectAltName: a common name is not looked at, ` +
    "issue it with the names and addresses that peers connect to",
  ];
}

function caWarnings(path: string, pem: string, now: number): string[] {
  return certificatesIn(pem).flatMap((ca) => {
    const name = ca.subject.trim().replaceAll("\n", ", ");
    if (!ca.isAuthority) {
      return [
        `${path} lists ${name}, which is no CA for lack of basicConstraints with CA:TRUE: nobody is trusted whom it has ` +
        "issued a certificate",
      ];
    }
    if (!ca.isValidAt(now)) return [`${path} lists the CA ${name}, which is not valid now: nobody is trusted by it`];
    const bits = ca.rsaBits;
    return bits !== undefined && bits < 2048
      ? [`${path} lists the CA ${name} with an RSA key of ${bits} bits: nobody is trusted by it, 2048 are least`]
      : [];
  });
}

function namesWarnings(path: string, pem: string): string[] {
  const trust = new ClientTrust(pem);
  if (trust.ca !== undefined) return [];
  return [
    `${path} holds ${trust.count} CAs, more than fit into a handshake (their names have ${trust.namesBytes} bytes): ` +
    "none of them is sent to clients, which choose their certificate by themselves",
  ];
}
