/** Bounds on what a peer may make one connection buffer or do. Each has a test with a hostile peer. */
export const h2Limits = {
  /** Largest frame that is accepted, in bytes: the default, so that it is not announced. */
  maxFrameBytes: 16_384,
  /** Largest header block, HEADERS and CONTINUATION together, in bytes as they are on the wire: as the list below. */
  maxHeaderBlockBytes: 256 * 1024,
  /** Most CONTINUATION frames of one header block. */
  maxContinuations: 32,
  /**
   * Largest list of headers, counted as RFC 9113, section 6.5.2, does. A larger one is answered with 431. An agent's
   * identifiers travel in one header: 8,192 of them, the most that a server takes, as `ipv4=` and a long address.
   */
  maxHeaderListBytes: 256 * 1024,
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
   * What a request costs of the same budget that is not accepted as a packet stream but answered at once, such as a health
   * check or a call of an unknown method: a thousand at once, and 50 a second. One that is accepted costs nothing.
   */
  answeredRequestCost: 10,
  /** Requests that are served of one chunk before other connections have their turn; a chunk may hold thousands. */
  requestsOfTurn: 32,
  /** So many bytes of headers count as another request of the turn. */
  headerBytesPerRequest: 512,
  /** Header blocks cost one for each so many bytes: what a small one takes to decode is part of its request's cost. */
  headerBytesPerCost: 256,
  /**
   * Received bytes that a connection buffers for paused streams before it returns no more credit of its own window. Up to
   * here a paused stream takes nothing from its neighbours.
   */
  maxPausedBytes: 64 * 1024 * 1024,
  /** High and low mark of a stream's send queue, in bytes: its owner is asked to wait, and may go on. */
  streamQueueHighBytes: 128 * 1024,
  streamQueueLowBytes: 32 * 1024,
  /** Streams that were reset by this side and whose late frames are still expected. */
  maxResetStreams: 1000,
} as const;
