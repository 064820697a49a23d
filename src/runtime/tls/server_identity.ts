import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { Certificate, certificatesIn } from "./certificate.ts";
import { certificateNames } from "./certificate_names.ts";
import { chainFault, leafFault } from "./certificate_chain.ts";

/** Options by which a TLS client trusts nothing but what it should; for `tls.connect`, `https.request`, `http2.connect`. */
export interface ServerVerification {
  readonly rejectUnauthorized: true;
  readonly checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/** Certificates beside the server's own that are looked at. */
const maxPresented = 10;

/**
 * Makes a TLS client check its server's certificate by itself, on top of what the runtime does. Seen in 2.9.6:
 *
 * - Where the runtime's library cannot read a certificate (X.509 version 1, or no sound DER), node:tls compares names
 *   alone: a certificate that bears a trusted CA's name as its issuer is taken, whoever signed it, and without a proof
 *   that the peer has its key. Whoever stands between could so be every server; see certificate_form.ts.
 * - A certificate that names its host by its common name alone is taken, and so is one whose CA is none (no
 *   basicConstraints) or has expired. Go refuses all of them.
 * - Names are compared in a text that has all of them without quotes, so that one that holds a comma counts as two.
 * - `NODE_TLS_REJECT_UNAUTHORIZED=0` turns every check off where `rejectUnauthorized` is not given.
 *
 * `server_identity_test.ts` shows what the runtime does by itself, and fails once it does otherwise.
 * @param ca PEM, the authorities that are trusted; absent: the runtime's own, for which it does not do the former
 * @param name what the certificate must be for, where that is not the host that is connected to
 */
export function verifiedServer(ca: string | undefined, name?: string): ServerVerification {
  return {
    rejectUnauthorized: true,
    checkServerIdentity: (host, certificate) => {
      try {
        return identityError(name ?? host, certificate, ca);
      } catch (cause) {
        // The runtime calls this from within: what is thrown would end the process.
        return refusal("CERT_REJECTED", "cannot be read", cause);
      }
    },
  };
}

function identityError(host: string, peer: PeerCertificate, ca: string | undefined): Error | undefined {
  const [leaf, ...presented] = chainOf(peer);
  if (leaf === undefined) return refusal("CERT_REJECTED", "was not sent");
  const now = Date.now();
  const wrong = leafFault(leaf, "server", now) ??
    (ca === undefined ? undefined : chainFault(leaf, presented, certificatesIn(ca), { purpose: "server", now }));
  if (wrong !== undefined) return refusal(wrong.code, wrong.message);
  const { dnsNames, addresses } = certificateNames(leaf.der);
  if (isIP(host) === 0 && dnsNames.length === 0) {
    return refusal(
      "ERR_TLS_CERT_ALTNAME_INVALID",
      `has no subjectAltName with a DNS name, and its common name is not looked at: issue it with DNS:${host}`,
    );
  }
  // The runtime's own text of all names has no quotes: a URI that holds ", DNS:localhost" would be a name for localhost.
  const names = [
    ...dnsNames.filter((name) => !/[,"\s]/.test(name)).map((name) => `DNS:${name}`),
    ...addresses.map((address) => `IP Address:${address}`),
  ];
  return checkServerIdentity(host, { ...peer, subjectaltname: names.join(", ") });
}

/** The peer's certificate and what it sent beside it, first the peer's. */
function chainOf(peer: PeerCertificate): Certificate[] {
  const chain: Certificate[] = [];
  let next: PeerCertificate | undefined = peer;
  while (next?.raw !== undefined && chain.length <= maxPresented) {
    chain.push(new Certificate(next.raw));
    // A root is its own issuer.
    const issuer: PeerCertificate | undefined = Reflect.get(next, "issuerCertificate");
    next = issuer === next ? undefined : issuer;
  }
  return chain;
}

function refusal(code: string, what: string, cause?: unknown): Error {
  return Object.assign(new Error(`the server's certificate ${what}`, { cause }), { code });
}
