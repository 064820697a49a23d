import type { CertificateNames, PeerIdentity, TokenSubject } from "../../../src/wire/peer_identity.ts";

/** A peer with a certificate of these names. */
export function certifiedPeer(names: Partial<CertificateNames> = {}): PeerIdentity {
  return {
    address: "192.0.2.7:4711",
    certificate: {
      commonName: "",
      organizations: [],
      dnsNames: [],
      addresses: [],
      uris: [],
      emails: [],
      serial: "01",
      notAfter: "2031-01-01T00:00:00Z",
      fingerprint: "ab".repeat(32),
      ...names,
    },
  };
}

/** What the API says of an agent's token. */
export function tokenSubject(subject: Partial<TokenSubject> = {}): TokenSubject {
  return {
    namespace: "kube-system",
    serviceAccount: "konnectivity-agent",
    uid: "",
    podName: "",
    podUid: "",
    nodeName: "",
    nodeUid: "",
    ...subject,
  };
}
