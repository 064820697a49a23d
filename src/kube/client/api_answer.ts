import type { ApiResponse } from "./api_transport.ts";
import { textMember } from "./json_value.ts";
import { KubeError } from "./kube_error.ts";

/** An answer that never ends must not fill the memory. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** The longest time that the API may ask to wait. */
const maxRetryAfterMs = 60_000;

/**
 * Reads a whole answer.
 * @param call its name, for errors
 * @throws {KubeError} the signal's reason when it aborts
 */
export async function readText(message: ApiResponse, call: string, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of message) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) {
        throw new KubeError("malformed", `${call}: the answer is longer than ${maxAnswerBytes} bytes`);
      }
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof KubeError) throw cause;
    throw brokenError(call, cause);
  }
  signal.throwIfAborted();
  if (!message.complete) throw brokenError(call);
  return text;
}

/** @throws {KubeError} `malformed` */
export function parseAnswer(text: string, call: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KubeError("malformed", `${call}: the answer is not JSON`, { cause });
  }
}

/** @throws {KubeError} `status` when the answer is an error */
export function checkStatus(message: ApiResponse, text: string, call: string): void {
  const status = message.statusCode ?? 0;
  if (status < 200 || status >= 300) throw statusError(message, text, call);
}

/** An answer that is an error. The API describes it in JSON; proxies in between answer with pages of their own. */
export function statusError(message: ApiResponse, text: string, call: string): KubeError {
  const status = message.statusCode ?? 0;
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    said = undefined;
  }
  const why = textMember(said, "message") || message.statusMessage || "no reason given";
  const retryAfterMs = Number(message.headers["retry-after"]) * 1000;
  return new KubeError("status", `${call}: the Kubernetes API answered ${status}: ${why}`, {
    status,
    reason: textMember(said, "reason"),
    ...(retryAfterMs > 0 ? { retryAfterMs: Math.min(retryAfterMs, maxRetryAfterMs) } : {}),
  });
}

/** A connection that broke within an answer. */
export function brokenError(call: string, cause?: unknown): KubeError {
  return new KubeError("unreachable", `${call}: the connection broke within the answer`, { cause });
}
