import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import { issueAuthority, type IssuedPair, issueLeaf } from "./issue.ts";
import { type Leaf, type Pki, treeProfile } from "./profile.ts";

export interface CertificateTreeOptions {
  /** Folder that the tree is made in; created where missing. */
  readonly dir: string;
  /** IP address by which agents reach the server. */
  readonly serverIp: string;
  /** Replaces every file of a tree that exists: new authorities, new keys, new certificates. */
  readonly force: boolean;
}

export interface CertificateTree {
  /** Files that were written, in the order of writing. */
  readonly written: readonly string[];
  /** Files that were there and good, and were left alone. */
  readonly kept: readonly string[];
}

/** Why a tree could not be made or kept. */
export type CertificateTreeFault = "bad-server-ip" | "half-made" | "bad-pair" | "expired" | "wrong-address" | "file";

/** The certificate tree could not be made, or what is there cannot be used. Only `file` may come after some writes. */
export class CertificateTreeError extends Error {
  override readonly name = "CertificateTreeError";
  readonly code: CertificateTreeFault;

  constructor(code: CertificateTreeFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const authorityName = "ca";
/** Keys are secrets; the certificates beside them get the same mode, as the original's tree has it. */
const fileMode = 0o600;
const folderMode = 0o700;

/**
 * Makes the certificate tree, or completes one that lacks certificates, and leaves good files alone. Every file that
 * is there is checked first (pairs match, issued by their authority, not expired, good for `serverIp`), so that a
 * second run vouches for the tree.
 * @throws {CertificateTreeError} naming the file and what to do
 */
export async function makeCertificateTree(options: CertificateTreeOptions): Promise<CertificateTree> {
  if (isIP(options.serverIp) === 0) {
    throw new CertificateTreeError("bad-server-ip", `server-ip "${options.serverIp}" is not an IP address`);
  }
  const written: string[] = [];
  const kept: string[] = [];
  const missing: { pki: Pki; authority: IssuedPair | undefined; leaves: readonly Leaf[] }[] = [];
  for (const pki of treeProfile(options.serverIp)) {
    if (options.force) {
      missing.push({ pki, authority: undefined, leaves: pki.leaves });
      continue;
    }
    const found = await inspect(options.dir, pki);
    kept.push(...found.kept);
    missing.push({ pki, authority: found.authority, leaves: found.missing });
  }
  const pairs: { files: PairFiles; pair: IssuedPair }[] = [];
  for (const { pki, authority, leaves } of missing) {
    const issuer = authority ?? await issueAuthority({ commonName: authorityCommonName(pki) });
    if (authority === undefined) pairs.push({ files: pairFiles(options.dir, pki, authorityName), pair: issuer });
    for (const leaf of leaves) {
      const pair = await issueLeaf(issuer, leaf.options);
      pairs.push({ files: pairFiles(options.dir, pki, leaf.name), pair });
    }
  }
  for (const { files, pair } of pairs) {
    await writePair(files, pair);
    written.push(files.key, files.cert);
  }
  return { written, kept };
}

/** The time distinguishes a renewed authority from its predecessor, whose certificates must not seem to come from it. */
function authorityCommonName(pki: Pki): string {
  return `${pki.serverIp}@${Math.floor(Date.now() / 1000)}`;
}

interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

function pairFiles(dir: string, pki: Pki, name: string): PairFiles {
  return {
    cert: join(dir, pki.folder, "issued", `${name}.crt`),
    key: join(dir, pki.folder, "private", `${name}.key`),
  };
}

interface Inspection {
  readonly authority: IssuedPair | undefined;
  readonly missing: readonly Leaf[];
  readonly kept: readonly string[];
}

async function inspect(dir: string, pki: Pki): Promise<Inspection> {
  const authorityFiles = pairFiles(dir, pki, authorityName);
  const authority = await readPair(authorityFiles);
  const kept: string[] = authority === undefined ? [] : [authorityFiles.key, authorityFiles.cert];
  const missing: Leaf[] = [];
  for (const leaf of pki.leaves) {
    const files = pairFiles(dir, pki, leaf.name);
    const pair = await readPair(files);
    if (pair === undefined) {
      missing.push(leaf);
      continue;
    }
    if (authority === undefined) {
      throw new CertificateTreeError(
        "half-made",
        `${files.cert} exists but its authority ${authorityFiles.cert} does not; ${restoreOrForce}`,
      );
    }
    checkLeaf(files, pair, authority, leaf);
    kept.push(files.key, files.cert);
  }
  return { authority, missing, kept };
}

const restoreOrForce = "restore the missing file, or renew the whole tree with --force";
const orForce = "renew the whole tree with --force";

/** @returns nothing when neither file exists */
async function readPair(files: PairFiles): Promise<IssuedPair | undefined> {
  const certPem = await readIfThere(files.cert);
  const keyPem = await readIfThere(files.key);
  if (certPem === undefined && keyPem === undefined) return undefined;
  if (certPem === undefined || keyPem === undefined) {
    const [there, gone] = certPem === undefined ? [files.key, files.cert] : [files.cert, files.key];
    throw new CertificateTreeError("half-made", `${there} exists but ${gone} does not; ${restoreOrForce}`);
  }
  const certificate = parse(files.cert, certPem);
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch (cause) {
    throw new CertificateTreeError("bad-pair", `${files.key} holds no private key; ${orForce}`, { cause });
  }
  if (!matches) {
    throw new CertificateTreeError("bad-pair", `${files.key} is not the key of ${files.cert}; ${orForce}`);
  }
  if (certificate.validToDate.getTime() < Date.now()) {
    throw new CertificateTreeError("expired", `${files.cert} expired on ${certificate.validTo}; ${orForce}`);
  }
  return { certPem, keyPem };
}

function checkLeaf(files: PairFiles, pair: IssuedPair, authority: IssuedPair, leaf: Leaf): void {
  const certificate = new X509Certificate(pair.certPem);
  if (!certificate.verify(new X509Certificate(authority.certPem).publicKey)) {
    throw new CertificateTreeError("bad-pair", `${files.cert} was not issued by the tree's authority; ${orForce}`);
  }
  for (const address of leaf.options.addresses ?? []) {
    if (certificate.checkIP(address) !== undefined) continue;
    throw new CertificateTreeError("wrong-address", `${files.cert} is not valid for ${address}; ${orForce}`);
  }
}

function parse(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CertificateTreeError("bad-pair", `${path} holds no certificate; ${orForce}`, { cause });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw fileError(`cannot read ${path}`, cause);
  }
}

async function writePair(files: PairFiles, pair: IssuedPair): Promise<void> {
  await writeSecret(files.key, pair.keyPem);
  await writeSecret(files.cert, pair.certPem);
}

/** Replaces the file in one step, so that a program which reads it meanwhile sees the old text or the new. */
async function writeSecret(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await Deno.mkdir(join(path, ".."), { recursive: true, mode: folderMode });
    await Deno.remove(fresh).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.writeTextFile(fresh, text, { createNew: true, mode: fileMode });
    await Deno.rename(fresh, path);
  } catch (cause) {
    throw fileError(`cannot write ${path}`, cause);
  }
}

function fileError(what: string, cause: unknown): CertificateTreeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CertificateTreeError("file", `${what}: ${why}`, { cause });
}
