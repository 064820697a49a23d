import { quote } from "../../flags/flag_error.ts";

/** What TLS versions and suites a server's listeners take. */
export interface TlsPolicy {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /**
   * Suites that a TLS 1.2 connection may use, in both their names; the runtime picks among its own, so a connection that
   * negotiated another one must be refused after the handshake. Absent: any. TLS 1.3 is not affected.
   */
  readonly tls12Suites?: readonly CipherSuite[];
}

export interface CipherSuite {
  /** As the flag and the TLS registry have it, `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. */
  readonly name: string;
  /** As OpenSSL has it, `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly opensslName: string;
}

const versions: Readonly<Record<string, TlsPolicy["minVersion"]>> = {
  "": "TLSv1.2",
  VersionTLS10: "TLSv1.2",
  VersionTLS11: "TLSv1.2",
  VersionTLS12: "TLSv1.2",
  VersionTLS13: "TLSv1.3",
};

const tls13Suites: ReadonlySet<string> = new Set([
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
]);

const tls12Suites: ReadonlyMap<string, CipherSuite> = new Map(
  ["ECDSA", "RSA"].flatMap((signature) => [
    suite(signature, "AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
    suite(signature, "AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
    suite(signature, "CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
  ]).map((each) => [each.name, each]),
);

/** Suites that the original takes and this runtime does not have. */
const cbcSuites: ReadonlySet<string> = new Set(
  ["ECDSA", "RSA"].flatMap((signature) =>
    ["128", "256"].map((bits) => `TLS_ECDHE_${signature}_WITH_AES_${bits}_CBC_SHA`)
  ),
);

function suite(signature: string, rest: string, opensslRest: string): CipherSuite {
  return { name: `TLS_ECDHE_${signature}_WITH_${rest}`, opensslName: `ECDHE-${signature}-${opensslRest}` };
}

/** A minimum version that the original does not know, or undefined. */
export function tlsVersionFault(version: string): string | undefined {
  if (Object.hasOwn(versions, version)) return undefined;
  return `unsupported TLS version ${quote(version)}, supported values are: ` +
    "VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13";
}

/** The first suite that the original does not know or calls insecure, or undefined. */
export function cipherSuiteFault(names: readonly string[]): string | undefined {
  const unknown = names.find((name) => !tls13Suites.has(name) && !tls12Suites.has(name) && !cbcSuites.has(name));
  return unknown === undefined
    ? undefined
    : `cipher suite ${unknown} not supported, doesn't exist or considered as insecure`;
}

/** That this runtime can offer no suite of a list that the original takes, or undefined. TLS 1.3 asks for none of it. */
export function unavailableSuitesFault(version: string, names: readonly string[]): string | undefined {
  const [cbc] = names;
  if (cbc === undefined || names.some(isAvailable) || versions[version] === "TLSv1.3") return undefined;
  return `no suite of --cipher-suites is available: this runtime has no CBC suites, use ${
    insteadOf(cbc)
  } instead of ${cbc}`;
}

function isAvailable(name: string): boolean {
  return !cbcSuites.has(name);
}

function insteadOf(cbc: string): string {
  return cbc.replace(/128_CBC_SHA$/, "128_GCM_SHA256").replace(/256_CBC_SHA$/, "256_GCM_SHA384");
}

/** What an operator should know about the flags' effect. */
export function tlsWarnings(version: string, names: readonly string[]): string[] {
  const warnings: string[] = [];
  if (version === "VersionTLS10" || version === "VersionTLS11") {
    warnings.push(`--tls-min-version=${version} is taken as VersionTLS12, the lowest version that this runtime has`);
  }
  const [cbc, ...others] = names.filter((name) => !isAvailable(name));
  if (cbc !== undefined) {
    warnings.push(
      `--cipher-suites: ${
        [cbc, ...others].join(", ")
      } cannot be used, since this runtime has no CBC suites; a client ` +
        "that has no other suite of the list is refused",
    );
  }
  const available = names.filter(isAvailable);
  if (available.length > 0 && available.every((name) => tls13Suites.has(name)) && versions[version] !== "TLSv1.3") {
    warnings.push("--cipher-suites names only suites of TLS 1.3, so connections with TLS 1.2 will be refused");
  }
  return warnings;
}

/** What validated flags mean. */
export function tlsPolicy(version: string, names: readonly string[]): TlsPolicy {
  const minVersion = versions[version] ?? "TLSv1.2";
  if (names.length === 0) return { minVersion };
  const allowed = names.flatMap((name) => tls12Suites.get(name) ?? []);
  return { minVersion, tls12Suites: allowed };
}
