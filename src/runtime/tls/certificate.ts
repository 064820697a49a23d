import { Buffer } from "node:buffer";
import { constants, createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import { formFault } from "./certificate_form.ts";
import { checkDer, derAt, derBody, derChildren, type DerElement, DerError, derOid, derTag, derWhole } from "./der.ts";
import { certificateBlocks } from "./pem.ts";

/** Object identifiers of extensions (RFC 5280 section 4.2) and key purposes that are looked at. */
export const oids = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  certificatePolicies: "2.5.29.32",
  extendedKeyUsage: "2.5.29.37",
  anyPurpose: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** Extensions that the runtime knows when they are critical; each other one makes it refuse the certificate. */
const knownExtensions: ReadonlySet<string> = new Set([
  oids.keyUsage,
  oids.subjectAltName,
  oids.basicConstraints,
  oids.nameConstraints,
  oids.extendedKeyUsage,
  "2.5.29.31",
]);

/** The bit of keyUsage's first octet for the signing of certificates (RFC 5280 section 4.2.1.3). */
const keyCertSign = 0x04;

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

const signatureHashes: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
};
const rsaPss = "1.2.840.113549.1.1.10";
const ed25519 = "1.3.101.112";

/**
 * A certificate as this program reads it, beside the runtime. Its own reading is strict: what is no DER is refused, so
 * that nothing is trusted which the runtime could not read either.
 */
export class Certificate {
  /** Names, dates and the rest, as the runtime has them. */
  readonly x509: X509Certificate;
  readonly der: Uint8Array;
  /** 1 or 3. */
  readonly version: number;
  /** When it begins and ends to count, in milliseconds since the epoch. */
  readonly validFrom: number;
  readonly validTo: number;
  /**
   * It may issue others: basicConstraints says so, or it is of version 1 or 2, which has none, and is its own issuer (as
   * in Go, such a one counts only where an operator lists it as a CA).
   */
  readonly isAuthority: boolean;
  /** How many authorities may stand between it and a leaf. */
  readonly pathLength: number;
  /** Its keyUsage, where it has one, allows it to sign certificates. */
  readonly maySignCertificates: boolean;
  /** Object identifiers of extendedKeyUsage; undefined where there is none, which allows every purpose. */
  readonly purposes: readonly string[] | undefined;
  /** Object identifiers of critical extensions that the runtime does not know. */
  readonly unknownCritical: readonly string[];
  /** The size of an RSA key in bits; undefined for every other kind. */
  readonly rsaBits: number | undefined;
  readonly #signed: DerElement;
  readonly #signatureOid: string;
  readonly #signature: Uint8Array;
  readonly #publicKey: DerElement;
  /** Names as the runtime writes them, a line for each part. */
  readonly subject: string;
  readonly issuer: string;
  /** How long the subject's name is, in bytes. */
  readonly subjectBytes: number;
  readonly #extensions = new Map<string, Extension>();
  #key: KeyObject | undefined;

  /** @param source DER, or PEM text of one certificate. @throws {DerError} when it is none */
  constructor(source: Uint8Array | string) {
    try {
      this.x509 = new X509Certificate(typeof source === "string" ? source : Buffer.from(source));
      // Which fails where a name is no text in the encoding that it says.
      this.subject = this.x509.subject;
      this.issuer = this.x509.issuer;
    } catch (cause) {
      throw new DerError("certificate cannot be decoded", { cause });
    }
    this.der = new Uint8Array(this.x509.raw);
    const outer = derAt(this.der, 0);
    checkDer(outer);
    if (outer.end !== this.der.length) throw new DerError("bytes follow the certificate");
    const [signed, algorithm, signature] = derChildren(outer);
    if (signed === undefined || algorithm === undefined || signature?.tag !== derTag.bitString) {
      throw new DerError("certificate has no signature");
    }
    this.#signed = signed;
    this.#signatureOid = derOid(only(algorithm));
    this.#signature = derBody(signature).subarray(1);
    const fields = derChildren(signed);
    const version = fields[0]?.tag === 0xa0 ? fields.shift() : undefined;
    this.version = version === undefined ? 1 : (derBody(only(version))[0] ?? 0) + 1;
    // Serial number, signature, issuer, validity, subject, and then the key.
    const subject = fields[4];
    const publicKey = fields[5];
    if (subject === undefined || publicKey === undefined) throw new DerError("certificate has no key");
    this.subjectBytes = subject.end - subject.start;
    this.#publicKey = publicKey;
    const extensions = fields.find(({ tag }) => tag === 0xa3);
    if (extensions !== undefined) { for (const each of derChildren(only(extensions))) this.#addExtension(each); }
    this.validFrom = this.x509.validFromDate.getTime();
    this.validTo = this.x509.validToDate.getTime();
    const constraints = this.#valueOf(oids.basicConstraints) ?? [];
    this.isAuthority = this.version < 3
      ? this.subject === this.issuer
      : constraints.some((part) => part.tag === derTag.boolean && derBody(part)[0] === 0xff);
    const limit = constraints.find(({ tag }) => tag === derTag.integer);
    this.pathLength = limit === undefined ? Infinity : derBody(limit).reduce((sum, byte) => sum * 256 + byte, 0);
    this.maySignCertificates = this.#maySignCertificates();
    this.purposes = this.#valueOf(oids.extendedKeyUsage)?.map(derOid);
    this.unknownCritical = [...this.#extensions].filter(([oid, { critical }]) => critical && !knownExtensions.has(oid))
      .map(([oid]) => oid);
    this.rsaBits = this.#rsaBits();
  }

  /** The key in SubjectPublicKeyInfo's form. @throws where the runtime does not know its kind */
  get key(): KeyObject {
    return this.#key ??= createPublicKey({ key: Buffer.from(derWhole(this.#publicKey)), format: "der", type: "spki" });
  }

  /** Why the runtime's library cannot read it, see {@link formFault}; undefined where it can. */
  get formFault(): string | undefined {
    return formFault(this.der);
  }

  /** It restricts the names that certificates below it may bear. */
  get constrainsNames(): boolean {
    return this.#extensions.has(oids.nameConstraints);
  }

  /** Whether it names its holder by subject alternative names. */
  get hasAltNames(): boolean {
    return this.#extensions.has(oids.subjectAltName);
  }

  isValidAt(time: number): boolean {
    return this.validFrom <= time && time <= this.validTo;
  }

  equals(other: Certificate): boolean {
    return this.der.length === other.der.length && this.der.every((byte, at) => byte === other.der[at]);
  }

  /** Whether an issuer's key has signed this certificate; false as well where the kind of signature is not known. */
  isSignedBy(issuer: Certificate): boolean {
    try {
      const signed = derWhole(this.#signed);
      if (this.#signatureOid === ed25519) return verify(null, signed, issuer.key, this.#signature);
      if (this.#signatureOid === rsaPss) {
        const key = {
          key: issuer.key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_AUTO,
        };
        return ["sha256", "sha384", "sha512"].some((hash) => verify(hash, signed, key, this.#signature));
      }
      const hash = signatureHashes[this.#signatureOid];
      return hash !== undefined && verify(hash, signed, issuer.key, this.#signature);
    } catch {
      // A key of a kind that does not fit the signature.
      return false;
    }
  }

  #rsaBits(): number | undefined {
    try {
      return this.key.asymmetricKeyDetails?.modulusLength;
    } catch {
      // A kind of key that the runtime does not know.
      return undefined;
    }
  }

  #maySignCertificates(): boolean {
    const usage = this.#extensions.get(oids.keyUsage);
    if (usage === undefined) return true;
    const bits = derAt(usage.value, 0);
    return bits.tag === derTag.bitString && ((derBody(bits)[1] ?? 0) & keyCertSign) !== 0;
  }

  /** The elements of an extension that is a sequence. */
  #valueOf(oid: string): DerElement[] | undefined {
    const extension = this.#extensions.get(oid);
    return extension === undefined ? undefined : derChildren(derAt(extension.value, 0));
  }

  #addExtension(element: DerElement): void {
    const parts = derChildren(element);
    const [oid] = parts;
    const value = parts.at(-1);
    if (oid === undefined || value?.tag !== derTag.octetString) throw new DerError("extension has no value");
    const name = derOid(oid);
    if (this.#extensions.has(name)) throw new DerError(`extension ${name} occurs twice`);
    if (knownExtensions.has(name)) {
      const content = derAt(value.bytes, value.body, value.end);
      checkDer(content);
      if (content.end !== value.end) throw new DerError(`bytes follow the value of extension ${name}`);
    }
    const flag = parts.length === 3 ? parts[1] : undefined;
    this.#extensions.set(name, { critical: flag !== undefined && derBody(flag)[0] === 0xff, value: derBody(value) });
  }
}

function only(parent: DerElement): DerElement {
  const [child] = derChildren(parent);
  if (child === undefined) throw new DerError(`empty element at byte ${parent.start}`);
  return child;
}

/** What {@link certificatesIn} read last: a set of CAs is read for each connection. */
let last: { readonly pem: string; readonly certificates: readonly Certificate[] } | undefined;

/** The certificates in PEM text, without those that cannot be read, which nobody can be trusted by. */
export function certificatesIn(pem: string): readonly Certificate[] {
  if (last?.pem === pem) return last.certificates;
  const certificates: Certificate[] = [];
  for (const block of certificateBlocks(pem)) {
    try {
      certificates.push(new Certificate(block));
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
    }
  }
  last = { pem, certificates };
  return certificates;
}
