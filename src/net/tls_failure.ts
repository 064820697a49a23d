/** Error codes that node:tls gives a handshake that failed, or a certificate that was refused on either side. */
const tlsCodes =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_CERT_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_PURPOSE|INVALID_CA|PATH_LENGTH_EXCEEDED)/;

/** Whether an error, or one that caused it, says that TLS failed rather than the connection below it. */
export function isTlsFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code: unknown = Reflect.get(error, "code");
  return (typeof code === "string" && tlsCodes.test(code)) || isTlsFailure(error.cause);
}
