/** Bounds on what a peer may make one connection hold or do. Each has a test with a hostile peer. */
export const h2Limits = {
  /** Largest frame that is accepted, in bytes: the default, so that it is not announced. */
  maxFrameBytes: 16_384,
  /** Largest header block, HEADERS and CONTINUATION together, in bytes as they are on the wire. */
  maxHeaderBlockBytes: 64 * 1024,
  /** Most CONTINUATION frames of one header block. */
  maxContinuations: 32,
  /** Largest list of headers, counted as RFC 9113, section 6.5.2, does. A larger one is answered with 431. */
  maxHeaderListBytes: 64 * 1024,
  /** Size of the table that a peer's header blocks may refer to, in bytes: the default. */
  headerTableBytes: 4096,
  /**
   * Frames that cost work and bring nothing (PING, SETTINGS, RST_STREAM, empty DATA and the like): so many at once, so many
   * a second, and so many for each DATA frame that this side could send. Beyond that the connection is closed. A client
   * may answer a DATA frame with WINDOW_UPDATE for its stream and for the connection, and with PING: grpc-go answers each
   * small one of a conversation with the last two, thousands of times a second.
   */
  idleFrameBurst: 10_000,
  idleFramesPerSecond: 500,
  idleFramesPerDataSent: 3,
  /**
   * Received bytes that a connection holds for streams that are paused, before the connection's own window is no longer
   * returned. Up to here a paused stream takes nothing from its neighbours.
   */
  maxHeldBytes: 64 * 1024 * 1024,
  /** Bytes that wait in a stream's send queue when its owner is asked to hold back, and when it may go on. */
  streamQueueHighBytes: 128 * 1024,
  streamQueueLowBytes: 32 * 1024,
  /** Streams that were reset by this side and whose late frames are still expected. */
  maxResetStreams: 1000,
} as const;
