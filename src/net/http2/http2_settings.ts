/**
 * Settings that both sides of a packet stream announce. A stream's window bounds what its tunnel may have in flight; the
 * connection's window, which all streams share, is far above it.
 */
export const http2Settings = {
  initialWindowSize: 1024 * 1024,
  maxConcurrentStreams: 100_000,
  enablePush: false,
} as const;

/** What a link is assumed to carry at most while nobody has measured it, in bytes a millisecond. */
const assumedBytesPerMs = 256 * 1024;

/**
 * The window of a stream of node:http2 that carries a whole link, to a peer at some distance. It announces windows for all
 * streams at once, and measures nothing.
 */
export function linkWindowBytes(roundTripMs: number): number {
  const { initialWindowSize } = http2Settings;
  return Math.min(connectionWindowBytes, Math.max(initialWindowSize, Math.ceil(roundTripMs * assumedBytesPerMs)));
}

/** Flow-control window of a whole HTTP/2 connection, in bytes. */
export const connectionWindowBytes = 16 * 1024 * 1024;
