import type { Extension, X509Certificate } from "@peculiar/x509";

/** Kind of key pair: RSA 2048 is what the original's certificates have, P-256 is made in a millisecond. */
export type KeyKind = "rsa-2048" | "p-256";

/** A certificate and its private key. */
export interface IssuedPair {
  /** PEM text of the certificate alone. */
  readonly certPem: string;
  /** PEM text of the private key, PKCS#8, not encrypted. */
  readonly keyPem: string;
}

/** When a certificate counts; without it: from five minutes ago, for 3650 days. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface AuthorityOptions {
  readonly commonName: string;
  /** Default `rsa-2048`. */
  readonly keyKind?: KeyKind;
  readonly validity?: Validity;
}

export interface LeafOptions {
  readonly commonName: string;
  /** What the peer presents it as: extended key usage serverAuth, clientAuth or both. */
  readonly usages: readonly ("server" | "client")[];
  /** DNS names of the server. */
  readonly names?: readonly string[];
  /** IP addresses of the server, IPv4 or IPv6 without brackets. */
  readonly addresses?: readonly string[];
  /** URIs of the holder, such as a SPIFFE ID. */
  readonly uris?: readonly string[];
  readonly organizations?: readonly string[];
  /** Default `rsa-2048`. */
  readonly keyKind?: KeyKind;
  readonly validity?: Validity;
}

/** How long certificates count, in days. */
export const validityDays = 3650;

/** Clocks of the machines that share certificates differ: a new one counts from a little before it was made. */
const backdateMs = 5 * 60_000;
const dayMs = 24 * 60 * 60_000;
const serialBytes = 20;

/**
 * Makes a certificate authority: a self-signed certificate that may sign certificates and revocation lists.
 * Its basic constraints are critical, as RFC 5280 section 4.2.1.9 demands and strict verifiers check.
 */
export async function issueAuthority(options: AuthorityOptions): Promise<IssuedPair> {
  const x509 = await loadX509();
  const keyKind = options.keyKind ?? "rsa-2048";
  const keys = await generateKeys(keyKind);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: [{ CN: [options.commonName] }],
    ...(options.validity ?? defaultValidity()),
    keys,
    signingAlgorithm: algorithms[keyKind],
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

/**
 * Makes a key pair and has the authority certify it for a server, a client or both.
 * @throws {DOMException} or {Error} when the authority's PEM text cannot be read
 */
export async function issueLeaf(authority: IssuedPair, options: LeafOptions): Promise<IssuedPair> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certPem);
  const issuerKind: KeyKind = issuer.publicKey.algorithm.name === "ECDSA" ? "p-256" : "rsa-2048";
  const keyKind = options.keyKind ?? "rsa-2048";
  const keys = await generateKeys(keyKind);
  // keyEncipherment is the RSA key exchange of TLS 1.2, which only servers take part in with their key.
  const enciphers = keyKind === "rsa-2048" && options.usages.includes("server");
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(false),
    new x509.KeyUsagesExtension(
      x509.KeyUsageFlags.digitalSignature | (enciphers ? x509.KeyUsageFlags.keyEncipherment : 0),
    ),
    new x509.ExtendedKeyUsageExtension(
      options.usages.map((usage) => x509.ExtendedKeyUsage[usage === "server" ? "serverAuth" : "clientAuth"]),
    ),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  const alternatives = [
    ...(options.names ?? []).map((value) => ({ type: "dns", value }) as const),
    ...(options.addresses ?? []).map((value) => ({ type: "ip", value }) as const),
    ...(options.uris ?? []).map((value) => ({ type: "url", value }) as const),
  ];
  if (alternatives.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(alternatives));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: [...(options.organizations ?? []).map((name) => ({ O: [name] })), { CN: [options.commonName] }],
    issuer: issuer.subjectName,
    ...(options.validity ?? defaultValidity()),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.keyPem, issuerKind),
    signingAlgorithm: algorithms[issuerKind],
    extensions,
  });
  return { certPem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

/** Key generation and signature parameters in one object: WebCrypto takes each part where it needs it. */
const algorithms = {
  "rsa-2048": {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  },
  "p-256": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
} as const;

/** Loaded on first use, so that the programs which make no certificates neither load nor hold the library. */
async function loadX509(): Promise<typeof import("./x509.ts")> {
  return await import("./x509.ts");
}

async function generateKeys(kind: KeyKind): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(algorithms[kind], true, ["sign", "verify"]);
}

function defaultValidity(): Validity {
  // X.509 times have whole seconds.
  const start = Math.floor((Date.now() - backdateMs) / 1000) * 1000;
  return { notBefore: new Date(start), notAfter: new Date(start + validityDays * dayMs) };
}

/** Positive, and without a leading zero byte whatever the encoder makes of one. */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(serialBytes));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toHex();
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

async function importKey(pem: string, kind: KeyKind): Promise<CryptoKey> {
  const body = pem.replace(/-----(BEGIN|END) PRIVATE KEY-----/g, "");
  return await crypto.subtle.importKey("pkcs8", Uint8Array.fromBase64(body), algorithms[kind], false, ["sign"]);
}
