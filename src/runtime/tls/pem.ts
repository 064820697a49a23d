import { createPrivateKey, X509Certificate } from "node:crypto";

/** Certificates and a key as PEM text. */
export interface PemMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The certificates in PEM text, in their order, each as a block that the runtime reads. */
export function certificateBlocks(pem: string): string[] {
  return blocks(pem, (type) => type === "CERTIFICATE");
}

/** The first private key in PEM text, as Go takes it; undefined: there is none. */
export function privateKeyBlock(pem: string): string | undefined {
  return blocks(pem, (type) => type.endsWith("PRIVATE KEY"))[0];
}

/**
 * Certificates and a key without what files have around them, for the runtime (2.9.6) reads no key with an empty line behind
 * its end. Both may be in one file, in either order, with text, blanks and CRLF: RFC 7468 ignores what stands around blocks.
 */
export function plainMaterial({ ca, cert, key }: PemMaterial): PemMaterial {
  const joined = (pem: string) => certificateBlocks(pem).join("");
  return {
    ...(ca === undefined ? {} : { ca: joined(ca) }),
    ...(cert === undefined ? {} : { cert: joined(cert) }),
    ...(key === undefined ? {} : { key: privateKeyBlock(key) ?? key }),
  };
}

/**
 * Blocks whose body is no base64 are no PEM, and are skipped, as in Go. A BEGIN without its END is passed over, and what
 * follows it counts. Each byte is read once or twice whatever the text is: one expression for whole blocks would look for
 * the end of each BEGIN through all of the rest, which takes ten seconds for 1 MB of BEGIN lines.
 */
function blocks(pem: string, isWanted: (type: string) => boolean): string[] {
  const found: string[] = [];
  let begun: { readonly type: string; readonly at: number } | undefined;
  for (const marker of pem.matchAll(/-----(BEGIN|END) ([A-Z0-9 ]+)-----/g)) {
    const [text, kind, type = ""] = marker;
    if (kind === "BEGIN") {
      begun = { type, at: marker.index + text.length };
      continue;
    }
    const body = begun?.type === type && isWanted(type) ? pem.slice(begun.at, marker.index) : "";
    begun = undefined;
    const lines = body === "" ? undefined : linesOf(body);
    if (lines !== undefined) found.push(`-----BEGIN ${type}-----\n${lines}\n-----END ${type}-----\n`);
  }
  return found;
}

/** The lines of a block's body; undefined where it is no base64. */
function linesOf(body: string): string | undefined {
  // Headers of RFC 1421, which an encrypted key has: whoever reads it says so.
  if (body.includes(":")) return body.split("\n").map((line) => line.trim()).join("\n").trim();
  const base64 = body.replace(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined;
  return base64.match(/.{1,64}/g)?.join("\n");
}

/**
 * The faults that the runtime (2.9.6) notices only at a handshake, and then with a misleading error; `tls_faults_test.ts`
 * shows it.
 * @returns what is wrong with a set of certificates, for a sentence that begins with its name; undefined: nothing
 */
export function certificatesFault(pem: string): string | undefined {
  const certificates = certificateBlocks(pem);
  if (certificates.length === 0) return `holds no certificate${otherForm(pem)}`;
  try {
    for (const block of certificates) new X509Certificate(block);
    return undefined;
  } catch {
    return "holds a certificate that cannot be decoded";
  }
}

/** What a text without a block is, where that can be seen, with what to do: the end of a sentence. */
function otherForm(text: string): string {
  if (text.includes("-\0-\0-\0")) return ": it is UTF-16, save it as ASCII or UTF-8";
  // A SEQUENCE with a length of two bytes, of which the second byte is none of UTF-8.
  if (/^0(?:\x82|\ufffd)/.test(text)) return ": it is DER, not PEM; openssl converts it";
  return "";
}

/** The same of a key that is to belong to the first certificate of a chain, which {@link certificatesFault} finds none in. */
export function keyFault(chain: string, key: string): string | undefined {
  const block = privateKeyBlock(key);
  if (block === undefined) return `the private key cannot be read: there is no block of one${otherForm(key)}`;
  if (/^-----BEGIN ENCRYPTED |^Proc-Type:.*ENCRYPTED/m.test(block)) {
    return "the private key cannot be read: it is encrypted; write it without a passphrase, as openssl pkey does";
  }
  try {
    const [leaf = ""] = certificateBlocks(chain);
    if (new X509Certificate(leaf).checkPrivateKey(createPrivateKey(block))) return undefined;
    return "private key does not match public key";
  } catch (error) {
    return `the private key cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What is wrong with what a client presents and trusts; undefined: nothing. */
export function clientFault({ ca, cert, key }: PemMaterial): string | undefined {
  const ofCa = ca === undefined ? undefined : certificatesFault(ca);
  if (ofCa !== undefined) return `the certificate authority ${ofCa}`;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    return "a client certificate and its key are needed together, one is missing";
  }
  const ofCert = certificatesFault(cert);
  if (ofCert !== undefined) return `the client certificate ${ofCert}`;
  const ofKey = keyFault(cert, key);
  return ofKey === undefined ? undefined : `the client certificate cannot be used: ${ofKey}`;
}
