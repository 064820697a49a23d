import { createPrivateKey, X509Certificate } from "node:crypto";

/** What a TLS endpoint presents and whom it trusts, as PEM text. */
export interface TlsMaterial {
  readonly cert?: string;
  readonly key?: string;
  /** Certificates of the authorities that the peer's certificate must come from. Exclusive: no system roots. */
  readonly ca?: string;
}

/** Paths of the files that a {@link TlsMaterial} is read from; an empty path means none. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Certificate files are missing, unreadable, or do not belong together. */
export class TlsFilesError extends Error {
  override readonly name = "TlsFilesError";
  readonly code = "bad-tls-files";
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Reads and checks certificate files. The runtime notices a bad file only at each handshake, and then with a misleading
 * error, so everything is checked here: that files parse, hold certificates, that key and certificate match, and that the
 * own certificate has not expired, which every peer would refuse.
 * Text around the PEM blocks is skipped, as easy-rsa writes it.
 * @throws {TlsFilesError} naming the file and the cause
 */
export async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
  const material: { cert?: string; key?: string; ca?: string } = {};
  if (files.ca !== "") {
    material.ca = certificates(files.ca, await readPem(files.ca), "failed to load CA cert").join("\n");
  }
  if (files.cert !== "" || files.key !== "") {
    const pair = `failed to load X509 key pair ${files.cert} and ${files.key}`;
    const chain = certificates(files.cert, await readPem(files.cert), pair);
    const key = await readPem(files.key);
    checkPair(chain[0] ?? "", key, pair);
    checkExpiry(chain[0] ?? "", files.cert, pair);
    material.cert = chain.join("\n");
    material.key = key;
  }
  return material;
}

async function readPem(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsFilesError(`cannot read ${path}: ${why}`, { cause });
  }
}

/** The certificates in PEM text; blocks that hold none are refused with the file's name, as the original does. */
function certificates(path: string, pem: string, context: string): string[] {
  const found: string[] = [];
  for (const [block] of pem.matchAll(certificateBlock)) {
    if (!isBase64Body(block)) continue;
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw new TlsFilesError(`${context}: ${path} holds a certificate that cannot be decoded`, { cause });
    }
    found.push(block);
  }
  if (found.length === 0) throw new TlsFilesError(`${context}: ${path} holds no certificate`);
  return found;
}

/** A block whose body is no base64 is no PEM, and is skipped. */
function isBase64Body(block: string): boolean {
  const body = block.replace(/-----(BEGIN|END) CERTIFICATE-----/g, "").replace(/\s/g, "");
  return /^[A-Za-z0-9+/]+={0,2}$/.test(body) && body.length % 4 === 0;
}

function checkPair(cert: string, key: string, context: string): void {
  let matches: boolean;
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsFilesError(`${context}: the private key cannot be read: ${why}`, { cause });
  }
  if (!matches) throw new TlsFilesError(`${context}: private key does not match public key`);
}

function checkExpiry(cert: string, path: string, context: string): void {
  const { validToDate } = new X509Certificate(cert);
  if (validToDate.getTime() > Date.now()) return;
  throw new TlsFilesError(`${context}: ${path} expired on ${validToDate.toISOString()}, renew it`);
}
