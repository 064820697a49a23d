/**
 * Why a call to the Kubernetes API has no result:
 * - `unreachable`: no connection, or it broke
 * - `timeout`: no answer in time
 * - `status`: the API answered with an error; see `status` and `reason`
 * - `malformed`: its answer is not what it should be
 * - `bad-credentials`: files that the call needs cannot be read, or hold something else
 */
export type KubeErrorCode = "unreachable" | "timeout" | "status" | "malformed" | "bad-credentials";

/** What is known of a failed call beside its message. */
export interface KubeErrorDetails extends ErrorOptions {
  /** HTTP status of the answer. */
  readonly status?: number;
  /** The API's own word for the error, such as `NotFound` or `Expired`; empty where it gave none. */
  readonly reason?: string;
  /** How long the API asks to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** A call to the Kubernetes API failed. The message names the call and the cause, never a secret. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  readonly status: number | undefined;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: KubeErrorCode, message: string, details: KubeErrorDetails = {}) {
    super(message, details);
    this.code = code;
    this.status = details.status;
    this.reason = details.reason ?? "";
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The HTTP status that a failed call was answered with; undefined where there was no answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof KubeError ? error.status : undefined;
}

/** The API's word for a failed call's error; empty where it gave none. */
export function reasonOf(error: unknown): string {
  return error instanceof KubeError ? error.reason : "";
}

/** The error's text, for logs. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
