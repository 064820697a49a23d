import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Bytes that may wait for one peer in all. Data stops far below this; what comes on top are answers, to a peer that
 * goes on asking and does not read them.
 */
export const maxUnsentBytes = 16 * 1024 * 1024;

/** What a stream ends with whose peer has gone beyond {@link maxUnsentBytes}. */
export function doesNotRead(): ConnectError {
  return new ConnectError("peer makes this side answer and does not read", Code.ResourceExhausted);
}
