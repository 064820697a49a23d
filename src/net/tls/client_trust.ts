import type { TLSSocket } from "node:tls";
import { Certificate, certificatesIn, oids } from "../../runtime/tls/certificate.ts";
import { type CertificateFault, chainFault, leafFault, mayIssue } from "../../runtime/tls/certificate_chain.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { rememberCertificate, shownCertificate } from "./shown_certificate.ts";

/**
 * Beyond these bounds a listener sends its clients neither names of CAs nor the CAs themselves, which the runtime sends
 * along with the listener's own certificate, as OpenSSL does. OpenSSL's clients take 16 KiB of names with TLS 1.2, and
 * 100 KiB of certificates.
 */
const maxNamesBytes = 12 * 1024;
const maxAuthoritiesBytes = 48 * 1024;

/** Certificates of a client that are looked at, its own included. */
const maxPresented = 10;

/** Certificates that are remembered as good, each about a kilobyte. */
const maxGood = 1024;

/** A client's certificate that was found good. */
interface GoodCertificate {
  /** Neither it nor any CA of its chain ends before, in milliseconds since the epoch. */
  readonly until: number;
  /** When it ends itself. */
  readonly validTo: number;
  /** The runtime's word on it, which was part of the verdict. */
  readonly authorized: boolean;
}

/** The authorities of a listener, and what their certificates mean for its clients. */
export class ClientTrust {
  /** PEM, as it was given. */
  readonly pem: string;
  /** PEM, for the runtime; absent: it asks for a certificate and leaves it to {@link refusal} to judge it. */
  readonly ca: string | undefined;
  /** How long the names of the authorities are together, in bytes. */
  readonly namesBytes: number;
  readonly #trusted: readonly Certificate[];
  /**
   * Clients' certificates that were found good, by their bytes: a client has one connection for each dial, and a verdict
   * costs up to a millisecond. That the client has the key is proved in each handshake.
   */
  readonly #good = new Map<string, GoodCertificate>();

  constructor(ca: string) {
    this.pem = ca;
    this.#trusted = certificatesIn(ca);
    // A name is preceded by its length.
    this.namesBytes = this.#trusted.reduce((sum, { subjectBytes }) => sum + 2 + subjectBytes, 0);
    const sizes = this.#trusted.reduce((sum, { der }) => sum + der.length, 0);
    this.ca = this.namesBytes > maxNamesBytes || sizes > maxAuthoritiesBytes ? undefined : ca;
  }

  /** How many authorities there are. */
  get count(): number {
    return this.#trusted.length;
  }

  /**
   * Why a client has not proved who it is; the runtime's word (`authorized`) alone is not enough. Seen in 2.9.6:
   * - `authorized` is true for a certificate that is itself listed as a CA, whatever its dates and purposes, and for one
   *   of version 1 even without a proof of its key.
   * - A CA counts as one without basicConstraints, and after its end; so it does with a keyUsage without keyCertSign. What
   *   a CA of the list says of path lengths and purposes does not count.
   * - It is false for certificates whose extendedKeyUsage is "any", and for those that are CAs themselves.
   * @param now in milliseconds since the epoch
   */
  refusal(socket: TLSSocket, now: number): EdgeError | undefined {
    if (socket.isSessionReused()) {
      return new EdgeError("resumed_session", "peer resumed a TLS session, which proves nothing");
    }
    const shown = shownCertificate(socket);
    const key = shown?.der ?? "";
    const before = this.#good.get(key);
    if (before !== undefined && before.authorized === socket.authorized && now <= before.until) return undefined;
    const x509 = socket.getPeerX509Certificate();
    const [leaf] = chainOf(x509, 1);
    if (leaf === undefined) return new EdgeError("bad_certificate", "peer has shown no certificate that can be read");
    // The runtime has no issuer for a certificate that came by itself.
    const single = Reflect.get(Object(x509), "issuerCertificate") === undefined;
    const fault = this.#fault(socket, key, leaf, single, now);
    if (fault !== undefined) {
      return new EdgeError("bad_certificate", `the certificate of ${subjectOf(leaf)} ${fault.message}`);
    }
    if (shown !== undefined) rememberCertificate(shown);
    return undefined;
  }

  /** How many of the authorities count at a time. */
  validAt(now: number): number {
    return this.#trusted.reduce((sum, authority) => sum + (authority.isValidAt(now) ? 1 : 0), 0);
  }

  /** When the certificate of a connection ends, in milliseconds since the epoch. */
  endOf(socket: TLSSocket): number {
    const good = this.#good.get(shownCertificate(socket)?.der ?? "");
    return good?.validTo ?? chainOf(socket.getPeerX509Certificate(), 1)[0]?.validTo ?? 0;
  }

  /**
   * Why a connection that was let in would not be now; empty when it would.
   * @param now in milliseconds since the epoch
   * @param known verdicts on certificates that were judged before, by their bytes
   */
  verdict(socket: TLSSocket, now: number, known: Map<string, string>): string {
    const der = shownCertificate(socket)?.der ?? "";
    const before = known.get(der);
    if (before !== undefined) return before;
    const [leaf, ...presented] = chainOf(socket.getPeerCertificate(true), maxPresented);
    const fault = leaf === undefined
      ? undefined
      : leafFault(leaf, "client", now) ?? chainFault(leaf, presented, this.#trusted, { purpose: "client", now });
    const verdict = leaf === undefined
      ? "its certificate cannot be read any more"
      : fault === undefined
      ? ""
      : `the certificate of ${subjectOf(leaf)} ${fault.message}`;
    known.set(der, verdict);
    return verdict;
  }

  /** @param single the leaf came without other certificates */
  #fault(
    socket: TLSSocket,
    key: string,
    leaf: Certificate,
    single: boolean,
    now: number,
  ): CertificateFault | undefined {
    const own = leafFault(leaf, "client", now);
    if (own !== undefined) return own;
    const issued = this.#trusted.filter(({ subject }) => subject === leaf.issuer);
    // Where one of the authorities itself has issued it, the runtime has checked all that is left.
    const sound = this.ca !== undefined && issued.length > 0 && issued.every((ca) => mayIssue(ca, "client", now));
    const direct = single && sound && socket.authorized;
    const [, ...presented] = direct ? [] : chainOf(socket.getPeerCertificate(true), maxPresented);
    const fault = direct ? undefined : this.#chainFault(socket, leaf, presented, now);
    if (fault === undefined) {
      const ends = [leaf, ...presented, ...this.#trusted].map(({ validTo }) => validTo).filter((end) => end >= now);
      if (this.#good.size >= maxGood) this.#good.clear();
      this.#good.set(key, { until: Math.min(...ends), validTo: leaf.validTo, authorized: socket.authorized });
    }
    return fault;
  }

  #chainFault(
    socket: TLSSocket,
    leaf: Certificate,
    presented: readonly Certificate[],
    now: number,
  ): CertificateFault | undefined {
    const how = { purpose: "client", now, alone: !socket.authorized } as const;
    const chain = chainFault(leaf, presented, this.#trusted, how);
    if (chain !== undefined || socket.authorized || this.ca === undefined) return chain;
    // Two properties that the runtime's library does not take, and Go does.
    if (leaf.isAuthority || leaf.purposes?.includes(oids.anyPurpose) === true) return undefined;
    // Its library knows of something that is not looked at here, and is right until the contrary is shown.
    const code = String(socket.authorizationError);
    return { code, message: `was refused by the runtime with ${code}` };
  }
}

/** What the runtime says of a handshake that it breaks off, since it cannot check the signature of the client's key. */
export function unreadableCertificate(error: Error): EdgeError | undefined {
  if (Reflect.get(error, "code") !== "UNABLE_TO_VERIFY_LEAF_SIGNATURE") return undefined;
  const why =
    "has a critical extension that is not known here, a key that is too small (RSA under 2048 bits) or of an " +
    "unknown kind, or is no sound DER";
  return new EdgeError("bad_certificate", `peer's certificate ${why}`, { cause: error });
}

/** A certificate and what was sent beside it, `most` of them; none where one of them cannot be read. */
function chainOf(first: unknown, most: number): Certificate[] {
  const chain: Certificate[] = [];
  try {
    for (let next = first; chain.length < most;) {
      const raw: unknown = Reflect.get(Object(next), "raw");
      if (!(raw instanceof Uint8Array)) break;
      chain.push(new Certificate(raw));
      const issuer: unknown = Reflect.get(Object(next), "issuerCertificate");
      if (issuer === next) break;
      next = issuer;
    }
    return chain;
  } catch {
    return [];
  }
}

function subjectOf({ subject }: Certificate): string {
  const line = subject.trim().replaceAll("\n", ", ");
  return line === "" ? "an unnamed peer" : line.slice(0, 100);
}
