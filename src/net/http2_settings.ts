/**
 * Settings that both sides of a packet stream announce. A stream's window bounds what its tunnel may have in flight; the
 * connection's window, which all streams share, is far above it.
 */
export const http2Settings = {
  initialWindowSize: 1024 * 1024,
  maxConcurrentStreams: 100_000,
  enablePush: false,
} as const;

/** Flow-control window of a whole HTTP/2 connection, in bytes. */
export const connectionWindowBytes = 16 * 1024 * 1024;
