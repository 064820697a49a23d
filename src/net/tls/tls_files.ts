import { X509Certificate } from "node:crypto";
import { readBoundedFile } from "../../runtime/files/bounded_file.ts";
import type { Clock } from "../../runtime/clock.ts";
import { certificateBlocks, certificatesFault, keyFault, privateKeyBlock } from "../../runtime/tls/pem.ts";

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

/**
 * Reads and checks certificate files. The runtime notices a bad file only at each handshake, and then with a misleading
 * error, so everything is checked here: that files parse, hold certificates, that key and certificate match, and that the
 * own certificate has not expired, which every peer would refuse.
 * @throws {TlsFilesError} naming the file and the cause
 */
export function readTlsFiles(files: TlsFiles, clock: Clock): Promise<TlsMaterial> {
  return tlsFilesReader(files, clock)();
}

/**
 * Reads files as {@link readTlsFiles}, again and again. What has not changed is not checked anew, but for its end: a bundle
 * of all the web's authorities takes 20 ms of the loop that serves tunnels.
 * @returns a function to call once the promise of its last call is settled
 */
export function tlsFilesReader(files: TlsFiles, clock: Clock): () => Promise<TlsMaterial> {
  let texts: TlsMaterial | undefined;
  let outcome: { readonly material: TlsMaterial } | { readonly error: unknown } | undefined;
  return async () => {
    const next = await readTexts(files, clock);
    if (outcome === undefined || next.ca !== texts?.ca || next.cert !== texts?.cert || next.key !== texts?.key) {
      texts = next;
      outcome = attempt(() => checked(files, next));
    }
    if ("error" in outcome) throw outcome.error;
    const { material } = outcome;
    if (material.cert !== undefined) checkExpiry(material.cert, clock.timeOfDay(), files);
    return material;
  };
}

function attempt(check: () => TlsMaterial): { readonly material: TlsMaterial } | { readonly error: unknown } {
  try {
    return { material: check() };
  } catch (error) {
    return { error };
  }
}

async function readTexts(files: TlsFiles, clock: Clock): Promise<TlsMaterial> {
  return {
    ...(files.ca === "" ? {} : { ca: await readPem(files.ca, clock) }),
    ...(files.cert === "" && files.key === ""
      ? {}
      : { cert: await readPem(files.cert, clock), key: await readPem(files.key, clock) }),
  };
}

function checked(files: TlsFiles, texts: TlsMaterial): TlsMaterial {
  const material: { cert?: string; key?: string; ca?: string } = {};
  if (texts.ca !== undefined) {
    material.ca = certificates(files.ca, texts.ca, "failed to load CA cert").join("");
  }
  if (texts.cert !== undefined && texts.key !== undefined) {
    const pair = pairOf(files);
    const cert = certificates(files.cert, texts.cert, pair).join("");
    const fault = keyFault(cert, texts.key);
    if (fault !== undefined) throw new TlsFilesError(`${pair}: ${fault}`);
    material.cert = cert;
    material.key = privateKeyBlock(texts.key) ?? texts.key;
  }
  return material;
}

function pairOf({ cert, key }: TlsFiles): string {
  return `failed to load X509 key pair ${cert} and ${key}`;
}

async function readPem(path: string, clock: Clock): Promise<string> {
  try {
    return await readBoundedFile(path, clock);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TlsFilesError(`cannot read ${path}: ${why}`, { cause });
  }
}

/** The certificates in PEM text. @throws {TlsFilesError} with the file's name, as the original does */
function certificates(path: string, pem: string, context: string): string[] {
  const fault = certificatesFault(pem);
  if (fault !== undefined) throw new TlsFilesError(`${context}: ${path} ${fault}`);
  return certificateBlocks(pem);
}

/** @param chain the own certificate first */
function checkExpiry(chain: string, now: number, files: TlsFiles): void {
  const { validToDate } = new X509Certificate(chain);
  if (validToDate.getTime() > now) return;
  throw new TlsFilesError(`${pairOf(files)}: ${files.cert} expired on ${validToDate.toISOString()}, renew it`);
}
