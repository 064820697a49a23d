/** Bounds on what a peer may make this side hold. Each has a test with a hostile peer. */
export const wireLimits = {
  /** Largest gRPC message that is accepted, in bytes: grpc-go's default, which the original uses. */
  maxMessageBytes: 4 * 1024 * 1024,
} as const;

/** Bytes of the prefix of a gRPC message: one of flags, four of length. */
export const grpcPrefixBytes = 5;
