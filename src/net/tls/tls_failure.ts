/** Error codes that node:tls gives a handshake that failed, or a certificate that was refused on either side. */
const tlsCodes =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_CERT_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH_EXCEEDED)/;

/** Whether an error, or one that caused it, says that TLS failed rather than the connection below it. */
export function isTlsFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code: unknown = Reflect.get(error, "code");
  return (typeof code === "string" && tlsCodes.test(code)) || isTlsFailure(error.cause);
}

/** What the runtime gives one code for: it says no more of why it trusts no chain of a peer's certificate. */
const untrusted: ReadonlySet<string> = new Set(["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "DEPTH_ZERO_SELF_SIGNED_CERT"]);

/** Why a handshake with a server failed, with what an operator can look at; undefined where its own message says it. */
export function tlsFailureText(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, "code");
  if (typeof code !== "string" || !untrusted.has(code)) return undefined;
  return `${error.message} (${code}): either none of the CAs that are trusted here has issued the server's certificate, ` +
    "or it has an extendedKeyUsage without serverAuth, a critical extension that is not known here, an RSA key under " +
    "2048 bits, or is a CA itself";
}
