/** Bounds of flow control on a link. Both sides know {@link flowLimits.initialWindowBytes}: it is part of the `window` feature. */
export const flowLimits = {
  /** What a sender may have in flight on a new tunnel, in each direction. */
  initialWindowBytes: 256 * 1024,
  /** What all windows of a process may grow by together, where its programs do not say otherwise. */
  growthBudgetBytes: 64 * 1024 * 1024,
  /** Most bytes of one DATA packet that is written to a link, so that a turn stays short. */
  maxDataBytes: 64 * 1024,
  /** A payload of no more bytes is small: a request, an answer, a key stroke. */
  smallPayloadBytes: 4 * 1024,
  /** Small payloads that a link takes although it holds data back, until it takes data again: all channels together. */
  aheadBytes: 64 * 1024,
} as const;
