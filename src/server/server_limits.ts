/** Bounds on what peers may make the server hold. */
export const serverLimits = {
  /** Bytes that a client may leave unread before its agent's link, if it has no windows, is held back. */
  legacyHeldBytes: 1024 * 1024,
  /** How long one client may hold such a link back before its tunnel is closed: the original client's own limit. */
  legacyStallMs: 10_000,
  /** How long an agent may take to answer a close, and take nothing that goes before it, until the tunnel is forgotten. */
  closeAnswerMs: 30_000,
  /** Bytes that are kept for a client whose tunnel has just opened before the agent is told to wait. */
  openingHeldBytes: 256 * 1024,
  /** How long a client that has ended its side may go without any byte from the destination, in milliseconds. */
  halfClosedIdleMs: 5 * 60_000,
  /** Identifiers of one agent, all kinds together. */
  maxIdentifiers: 1024,
} as const;
