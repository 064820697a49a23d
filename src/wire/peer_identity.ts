/** What a certificate says of its holder. */
export interface CertificateNames {
  /** The subject's common name; the last one where there are several, as Go's programs take it; empty: none. */
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Subject alternative names, each as it is written in the certificate; addresses are canonical, such as `10.0.0.1` and `fd00::1`. */
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
  /** Hexadecimal, upper case. */
  readonly serial: string;
  /** The end of its validity: ISO 8601, in UTC. */
  readonly notAfter: string;
}

/** A certificate that a listener has verified. */
export interface PeerCertificate extends CertificateNames {
  /** SHA-256 of the certificate, hexadecimal, lower case. */
  readonly fingerprint: string;
}

/**
 * Who is at the other end of a connection, by what the connection itself proves. It is worked out when it is first asked
 * for, which has to be while the connection is open; what was asked for once stays known.
 */
export interface PeerIdentity {
  /** `address:port` of the other end, `unix` on a Unix socket, `unknown` where the connection was gone already. */
  readonly address: string;
  /** Undefined where the listener asks for none: what a peer shows there proves nothing. */
  readonly certificate: PeerCertificate | undefined;
}

/** Whom a Kubernetes service account token speaks for, by the API's word. */
export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Of the service account; empty where the API does not say; so for all that follow. */
  readonly uid: string;
  /** The pod that the token is bound to, and the node that the pod runs on. */
  readonly podName: string;
  readonly podUid: string;
  readonly nodeName: string;
  readonly nodeUid: string;
}

/** A peer on a Unix socket: the file's mode decides who may connect, and callers are not distinguished. */
export const unixPeer: PeerIdentity = { address: "unix", certificate: undefined };

/** A server that dials for itself, to see whether a destination can be reached. */
export const probePeer: PeerIdentity = { address: "probe", certificate: undefined };

/** A peer of whom nothing is known: in every list of names it is a stranger. */
export const unknownPeer: PeerIdentity = { address: "unknown", certificate: undefined };

/** The name of a peer in logs: its certificate's common name or first alternative name, else its address without the port. */
export function peerName({ address, certificate }: PeerIdentity): string {
  const host = address.replace(/:\d+$/, "");
  if (certificate === undefined) return host;
  const { commonName, uris, dnsNames, addresses, emails } = certificate;
  return [commonName, ...uris, ...dnsNames, ...addresses, ...emails].find((name) => name !== "") ?? host;
}
