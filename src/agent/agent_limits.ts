/** Bounds of what the agent holds and waits for. Each has a test with a hostile peer. */
export interface AgentLimits {
  /** Milliseconds for one dial to a destination, names resolved included: the original's. */
  readonly dialTimeoutMs: number;
  /** Dials under way on one link; one more is answered with an error at once. */
  readonly maxPendingDials: number;
  /**
   * Bytes that wait for one destination on a link without windows. One byte more, and the link is not read until the
   * destination takes some.
   */
  readonly endpointBufferBytes: number;
  /** How long one destination may hold such a link, in milliseconds; then its tunnel is closed. */
  readonly stallGraceMs: number;
  /** How long the destination of a tunnel that is over may take none of its last bytes, in milliseconds. */
  readonly closeGraceMs: number;
  /**
   * Bytes of a destination that are read and dropped after its tunnel is over. An echo has fewer under way: a window, and
   * the buffers of both kernels each way. Whoever sends more does not answer, and is dropped once all is written.
   */
  readonly discardBytes: number;
}

/** The defaults. */
export const agentLimits: AgentLimits = {
  dialTimeoutMs: 5_000,
  maxPendingDials: 4_096,
  endpointBufferBytes: 1024 * 1024,
  stallGraceMs: 10_000,
  closeGraceMs: 10_000,
  discardBytes: 32 * 1024 * 1024,
};
