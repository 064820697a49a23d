import { Buffer } from "node:buffer";
import { createHash, type X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { certificateNames } from "../../runtime/tls/certificate_names.ts";
import { DerError } from "../../runtime/tls/der.ts";
import type { PeerCertificate } from "../../wire/peer_identity.ts";

/** Certificates that are remembered, each two kilobytes. */
const maxKnown = 1024;

/** A certificate that a client has shown. All connections that have shown the same good one share it. */
export class ShownCertificate {
  /** Its bytes, one to a character. */
  readonly der: string;
  #read: PeerCertificate | DerError | undefined;

  constructor(der: string) {
    this.der = der;
  }

  /**
   * What it says of its holder.
   * @throws {DerError} where it cannot be read
   */
  read(): PeerCertificate {
    this.#read ??= readNames(this.der);
    if (this.#read instanceof DerError) throw this.#read;
    return this.#read;
  }
}

/** Good ones, by their bytes: kube-apiserver has one certificate, and a connection for each dial. */
const known = new Map<string, ShownCertificate>();

/** Those of open connections: the runtime parses the certificate anew for whoever asks, and frees it late. */
const shown = new WeakMap<TLSSocket, ShownCertificate>();

/**
 * The certificate that the peer of a connection has shown: undefined where it has shown none, or the connection is gone
 * and nobody has asked before.
 */
export function shownCertificate(socket: TLSSocket): ShownCertificate | undefined {
  const before = shown.get(socket);
  if (before !== undefined) return before;
  // A fifth of what getPeerCertificate takes.
  const x509: X509Certificate | undefined = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  const der = x509.raw.toString("latin1");
  const certificate = known.get(der) ?? new ShownCertificate(der);
  shown.set(socket, certificate);
  return certificate;
}

/** A certificate was found good: it is kept for the connections to come. What strangers show goes with their connection. */
export function rememberCertificate(certificate: ShownCertificate): void {
  if (known.has(certificate.der)) return;
  if (known.size === maxKnown) known.clear();
  known.set(certificate.der, certificate);
}

function readNames(der: string): PeerCertificate | DerError {
  const bytes = Buffer.from(der, "latin1");
  try {
    return { ...certificateNames(bytes), fingerprint: createHash("sha256").update(bytes).digest("hex") };
  } catch (error) {
    if (error instanceof DerError) return error;
    throw error;
  }
}
