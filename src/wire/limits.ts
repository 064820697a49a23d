import { Code, ConnectError } from "@connectrpc/connect";

/** Bounds on what a peer may make this side hold. Each has a test with a hostile peer. */
export const wireLimits = {
  /** Largest gRPC message that is accepted, in bytes: grpc-go's default, which the original uses. */
  maxMessageBytes: 4 * 1024 * 1024,
  /**
   * Longest destination address of a dial, in characters. A DNS name has 253 at most. An address near the message limit
   * would make a packet that the next peer refuses, and with it the link that other tunnels share.
   */
  maxAddressLength: 1024,
  /** Longest error text that a packet carries, in UTF-16 units; the rest is cut off, for the same reason. */
  maxErrorLength: 4096,
} as const;

/** Bytes of the prefix of a gRPC message: one of flags, four of length. */
export const grpcPrefixBytes = 5;

/**
 * Bytes that may wait for one peer in all. Data stops far below this; what comes on top are answers, to a peer that
 * goes on asking and does not read them.
 */
export const maxUnsentBytes = 16 * 1024 * 1024;

/** What a stream ends with whose peer has gone beyond {@link maxUnsentBytes}. */
export function doesNotRead(): ConnectError {
  return new ConnectError("peer makes this side answer and does not read", Code.ResourceExhausted);
}
