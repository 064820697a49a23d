/** Why a dial failed, as the metric `dial_failure_count` labels it. */
export type DialFailureReason =
  | "no_agent"
  | "error_response"
  | "unrecognized_response"
  | "send_rsp"
  | "backend_close"
  | "backend_dial_timeout"
  | "frontend_close"
  | "not_allowed";

/** A dial that did not open a tunnel. */
export interface DialFailure {
  readonly reason: DialFailureReason;
  /** What the client reads. */
  readonly message: string;
}

/** No agent is connected that could reach the destination. */
export const noAgent: DialFailure = { reason: "no_agent", message: "No agent available" };

/** The server takes no new tunnels any more. */
export const shuttingDown: DialFailure = { reason: "no_agent", message: "proxy server is shutting down" };
