/** Bounds of what the agent holds and waits for. Each has a test with a hostile peer. */
export interface AgentLimits {
  /** Milliseconds for one dial to a destination, names resolved included: the original's. */
  readonly dialTimeoutMs: number;
  /** Dials in flight on one link; one more is answered with an error at once. */
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
   * Bytes of a destination that are read and dropped after its tunnel is over: so many, and so many times as many as it
   * was sent, which is what an answer to that may come to; at most `discardBytes`, more than an echo has in flight in a
   * window and the buffers of both kernels each way. Whoever sends more does not answer: a download whose client left is
   * not read to its end, which costs 14 ms of processor time for 32 MiB.
   */
  readonly discardLeastBytes: number;
  readonly discardFactor: number;
  readonly discardBytes: number;
  /**
   * How long the system has to deliver the last bytes to a destination that keeps sending and is read no more, in
   * milliseconds: a few round trips. Its socket is reset then, which destroys what has not arrived.
   */
  readonly excessGraceMs: number;
}

/** The defaults. */
export const agentLimits: AgentLimits = {
  dialTimeoutMs: 5_000,
  maxPendingDials: 4_096,
  endpointBufferBytes: 1024 * 1024,
  stallGraceMs: 10_000,
  closeGraceMs: 10_000,
  discardLeastBytes: 256 * 1024,
  discardFactor: 8,
  discardBytes: 32 * 1024 * 1024,
  excessGraceMs: 200,
};
