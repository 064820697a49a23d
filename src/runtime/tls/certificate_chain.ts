import { type Certificate, oids } from "./certificate.ts";

/** What a peer's certificate is to show. */
export type Purpose = "server" | "client";

/** Why a certificate is not trusted: a code in the manner of node:tls, and the property in words. */
export interface CertificateFault {
  readonly code: string;
  readonly message: string;
}

/** Signatures that are checked for one certificate, each for a millisecond or more. */
const maxSignatures = 20;

/** What the runtime's library takes at least. */
const leastRsaBits = 2048;

/** Authorities between a leaf and the one that is trusted; more is no chain that anybody has. */
const maxDepth = 6;

/** What is wrong with the certificate itself, whoever has issued it. */
export function leafFault(leaf: Certificate, purpose: Purpose, now: number): CertificateFault | undefined {
  if (leaf.version !== 3) {
    return fault("CERT_UNSUPPORTED_VERSION", `is of X.509 version ${leaf.version}, issue it as version 3`);
  }
  const form = leaf.formFault;
  // Nobody has checked then whether the peer has its key.
  if (form !== undefined) return fault("CERT_REJECTED", `is in no sound form: it ${form}`);
  const dates = dateFault(leaf, now);
  if (dates !== undefined) return dates;
  const [critical] = leaf.unknownCritical;
  if (critical !== undefined) {
    const name = critical === oids.certificatePolicies ? "certificatePolicies" : critical;
    return fault(
      "CERT_UNHANDLED_CRITICAL_EXTENSION",
      `has the critical extension ${name}, which is not known here, issue it without or not critical`,
    );
  }
  const bits = leaf.rsaBits;
  if (bits !== undefined && bits < leastRsaBits) {
    return fault("CERT_KEY_TOO_SMALL", `has an RSA key of ${bits} bits, issue it with ${leastRsaBits} or more`);
  }
  if (isFor(leaf, purpose)) return undefined;
  return fault("INVALID_PURPOSE", `has an extendedKeyUsage without ${purpose}Auth, issue it with it`);
}

/** Whether an authority that an operator has listed may issue the certificates of peers, at a time. */
export function mayIssue(authority: Certificate, purpose: Purpose, now: number): boolean {
  return authority.isAuthority && authority.maySignCertificates && isFor(authority, purpose) &&
    authority.isValidAt(now);
}

function isFor({ purposes }: Certificate, purpose: Purpose): boolean {
  const asked = purpose === "server" ? oids.serverAuth : oids.clientAuth;
  return purposes === undefined || purposes.includes(asked) || purposes.includes(oids.anyPurpose);
}

/** How a chain is looked for. */
export interface ChainSearch {
  /** What the leaf is to show; an authority with an extendedKeyUsage issues certificates for those purposes alone. */
  readonly purpose: Purpose;
  readonly now: number;
  /**
   * The runtime does not check the chain as well: a CA that constrains names, which is not checked here, is not taken
   * then.
   */
  readonly alone?: boolean;
}

/**
 * Looks for a chain from a leaf to an authority that is trusted: names, signatures, dates, purposes, and that each issuer
 * is a CA that may sign certificates. The runtime (2.9.6) looks neither at keyUsage nor at what the authority that is
 * trusted says of itself: its path length, its purposes, its end.
 * @param presented what the peer sent beside its own certificate, in any order
 * @returns undefined when there is a chain
 */
export function chainFault(
  leaf: Certificate,
  presented: readonly Certificate[],
  trusted: readonly Certificate[],
  how: ChainSearch,
): CertificateFault | undefined {
  // A certificate that is listed itself is trusted as itself, as in Go.
  if (trusted.some((each) => each.equals(leaf))) return undefined;
  const signatures = new Signatures();
  const between = issuedBelow(trusted, presented, signatures);
  let best: CertificateFault | undefined;
  const wrong = (subject: Certificate, issuer: Certificate, depth: number, listed: boolean): boolean => {
    const found = issuerFault(issuer, depth, listed, how) ??
      (signatures.has(subject, issuer) ? undefined : signatureFault(issuer));
    best ??= found;
    return found !== undefined;
  };
  const search = (subject: Certificate, depth: number): boolean => {
    for (const issuer of trusted) {
      if (subject.issuer !== issuer.subject) continue;
      if (!wrong(subject, issuer, depth, true)) return true;
    }
    if (depth === maxDepth || signatures.spent) return false;
    for (const issuer of between) {
      if (subject.issuer !== issuer.subject || issuer.equals(subject)) continue;
      if (!wrong(subject, issuer, depth, false) && search(issuer, depth + 1)) return true;
    }
    return false;
  };
  if (search(leaf, 0)) return undefined;
  if (signatures.spent) return fault("CERT_CHAIN_TOO_LONG", "was sent with too many CAs by one name");
  return best ?? fault(
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    `was issued by ${oneLine(leaf.issuer)}, which is not among the CAs that are trusted here`,
  );
}

/**
 * Those of the presented certificates that an authority which is trusted has signed, by way of others or not. From the top:
 * no signature is checked with the key of a stranger, who would choose one that takes long.
 */
function issuedBelow(
  trusted: readonly Certificate[],
  presented: readonly Certificate[],
  signatures: Signatures,
): readonly Certificate[] {
  const below: Certificate[] = [];
  let unused = presented;
  for (let before = -1; before < below.length;) {
    before = below.length;
    unused = unused.filter((each) => {
      const issuers = [...trusted, ...below];
      const signed = issuers.some((issuer) =>
        issuer.isAuthority && each.issuer === issuer.subject && signatures.has(each, issuer)
      );
      if (signed) below.push(each);
      return !signed;
    });
  }
  return below;
}

/** The signatures that are checked for one peer, each once and not more than some. */
class Signatures {
  readonly #checked = new Map<Certificate, Map<Certificate, boolean>>();
  #remaining = maxSignatures;

  /** Issuers by one name that sign each other make more chains than anybody has time for. */
  get spent(): boolean {
    return this.#remaining < 0;
  }

  has(subject: Certificate, issuer: Certificate): boolean {
    const ofSubject = this.#checked.get(subject) ?? new Map<Certificate, boolean>();
    this.#checked.set(subject, ofSubject);
    const before = ofSubject.get(issuer);
    if (before !== undefined) return before;
    if (this.#remaining-- <= 0) return false;
    const signed = subject.isSignedBy(issuer);
    ofSubject.set(issuer, signed);
    return signed;
  }
}

/** What keeps a certificate from being the issuer of others. @param listed an operator has listed it as trusted */
function issuerFault(
  issuer: Certificate,
  depth: number,
  listed: boolean,
  { purpose, now, alone = false }: ChainSearch,
): CertificateFault | undefined {
  const untrusted = (code: string, why: string) => fault(code, `cannot be trusted: ${caName(issuer)} ${why}`);
  if (!issuer.isAuthority || (!listed && issuer.version !== 3)) {
    return untrusted("INVALID_CA", "lacks basicConstraints with CA:TRUE, issue the CA with it");
  }
  if (!issuer.maySignCertificates) {
    return untrusted("INVALID_CA", "has a keyUsage without keyCertSign, issue the CA with it");
  }
  if (!isFor(issuer, purpose)) {
    return untrusted("INVALID_PURPOSE", `has an extendedKeyUsage without ${purpose}Auth, issue the CA without any`);
  }
  const [critical] = issuer.unknownCritical;
  if (!listed && critical !== undefined) {
    return untrusted("CERT_UNHANDLED_CRITICAL_EXTENSION", `has the critical extension ${critical}, not known here`);
  }
  if (issuer.pathLength < depth) {
    return untrusted("PATH_LENGTH_EXCEEDED", `allows ${issuer.pathLength} CAs below it`);
  }
  if (alone && issuer.constrainsNames) {
    return untrusted("INVALID_CA", "has nameConstraints, which are not checked here");
  }
  const bits = issuer.rsaBits;
  if (bits !== undefined && bits < leastRsaBits) {
    return untrusted("CA_KEY_TOO_SMALL", `has an RSA key of ${bits} bits, ${leastRsaBits} are least`);
  }
  const dates = dateFault(issuer, now);
  return dates === undefined ? undefined : untrusted(dates.code, dates.message);
}

function signatureFault(issuer: Certificate): CertificateFault {
  return fault("CERT_SIGNATURE_FAILURE", `does not bear a signature of ${caName(issuer)} that can be verified`);
}

function caName(issuer: Certificate): string {
  return `its CA ${oneLine(issuer.subject)}`;
}

function dateFault({ validFrom, validTo }: Certificate, now: number): CertificateFault | undefined {
  if (validFrom > now) return fault("CERT_NOT_YET_VALID", `is valid from ${new Date(validFrom).toISOString()} only`);
  if (validTo < now) return fault("CERT_HAS_EXPIRED", `expired on ${new Date(validTo).toISOString()}`);
  return undefined;
}

function fault(code: string, message: string): CertificateFault {
  return { code, message };
}

/** A distinguished name in one line; a peer may have chosen it, of any length. */
function oneLine(name: string): string {
  const line = name.trim().replaceAll("\n", ", ");
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
