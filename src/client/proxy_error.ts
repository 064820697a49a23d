import { isNotAllowed } from "../wire/destination/destination_policy.ts";

/**
 * What went wrong, to branch on:
 * - `endpoint`: the proxy answered that the destination was not reached; the message is the agent's own text
 * - `not-allowed`: a list of the server or of the agent refuses the destination; the message says which
 * - `no-agent`: the proxy has no agent that could reach the destination
 * - `dial-timeout`: neither answer nor refusal came in time
 * - `dial-closed`: the proxy gave the dial up without a reason
 * - `cancelled`: the caller's signal aborted; `cause` is the signal's reason
 * - `tunnel-closed`: the connection to the proxy was lost, or was closed by this side
 * - `proxy-unreachable`: no connection to the proxy could be made
 * - `proxy-refused`: the proxy is there and refuses the request
 * - `bad-tls`: the proxy's certificate is not trusted, the proxy refused this client's, or the given ones are no good
 * - `protocol-error`: the proxy sent something that is not the protocol
 * - `connection-broken`: an open tunnel ended in an error; the message is the proxy's text
 * - `close-timeout`: the proxy did not confirm the end of a tunnel in time
 * - `destination-tls`: fetch only: TLS with the destination failed
 * - `bad-http`: fetch only: the destination's answer is not HTTP, or was cut off
 */
export type ProxyErrorCode =
  | "endpoint"
  | "not-allowed"
  | "no-agent"
  | "dial-timeout"
  | "dial-closed"
  | "cancelled"
  | "tunnel-closed"
  | "proxy-unreachable"
  | "proxy-refused"
  | "bad-tls"
  | "protocol-error"
  | "connection-broken"
  | "close-timeout"
  | "destination-tls"
  | "bad-http";

/** The original client's name for why a dial failed, as its metric `dial_failure_total` labels it. */
export type DialFailureReason =
  | "unknown"
  | "timeout"
  | "context"
  | "endpoint"
  | "dialclosed"
  | "tunnelclosed"
  | "tunnelstarted"
  | "streamsetup";

const reasons: Readonly<Record<ProxyErrorCode, DialFailureReason>> = {
  endpoint: "endpoint",
  "not-allowed": "endpoint",
  "no-agent": "endpoint",
  "dial-timeout": "timeout",
  "dial-closed": "dialclosed",
  cancelled: "context",
  "tunnel-closed": "tunnelclosed",
  "proxy-unreachable": "streamsetup",
  "proxy-refused": "streamsetup",
  "bad-tls": "streamsetup",
  "protocol-error": "unknown",
  "connection-broken": "unknown",
  "close-timeout": "unknown",
  "destination-tls": "unknown",
  "bad-http": "unknown",
};

/** A failure of the proxy, of a dial through it, or of an open tunnel. */
export class ProxyError extends Error {
  /** Always `ProxyError`. */
  override readonly name = "ProxyError";
  /** What to branch on. */
  readonly code: ProxyErrorCode;

  /** Makes an error. @param message what failed; for `endpoint` and `connection-broken` the other side's own text */
  constructor(code: ProxyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The original client's reason for a failed dial; `unknown` for every error that is none. */
export function dialFailureReason(error: unknown): DialFailureReason {
  return error instanceof ProxyError ? reasons[error.code] : "unknown";
}

/**
 * The error for a dial that the proxy answered with a failure. The wire has nothing but the text, so that a missing agent
 * and a destination that is not allowed are distinguished by the words that servers and agents send for them.
 */
export function dialRefused(text: string): ProxyError {
  if (isNotAllowed(text)) return new ProxyError("not-allowed", text);
  return new ProxyError(/no agent available/i.test(text) ? "no-agent" : "endpoint", text);
}
