/** Why a listener closed a connection that reached one of its bounds; the label of a metric. */
export const edgeReasons = [
  /** The TLS handshake, the HTTP/2 preface, the hello or the head of a request did not come in time. */
  "slow_start",
  /** The peer asked for more work that brings nothing than one connection may have done. */
  "flood",
  /** The peer makes this side answer and does not read the answers. */
  "unread_answers",
  /** The connection was open without a call for too long. */
  "idle",
  /** The head of a request was too large, or no HTTP. */
  "bad_request",
  /** The certificate that the peer has shown is not trusted here. */
  "bad_certificate",
  /** The certificate of an open connection has ended, or is not trusted any more. */
  "revoked_certificate",
  /** The peer resumed a TLS session instead of showing its certificate. */
  "resumed_session",
] as const;

export type EdgeReason = typeof edgeReasons[number];

/** A connection was closed because its peer reached a bound of `edge_limits.ts` or of `h2/limits.ts`. */
export class EdgeError extends Error {
  override readonly name = "EdgeError";
  readonly reason: EdgeReason;

  constructor(reason: EdgeReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
