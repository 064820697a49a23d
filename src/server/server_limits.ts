/** Bounds on what peers may make the server hold. */
export const serverLimits = {
  /** Bytes that a client may leave unread before it stalls its agent's link, if that has no windows. */
  legacyHeldBytes: 1024 * 1024,
  /** How long one client may hold such a link back before its tunnel is closed: the original client's own limit. */
  legacyStallMs: 10_000,
  /** How long an agent may take to answer a close, and take nothing that goes before it, until the tunnel is forgotten. */
  closeAnswerMs: 30_000,
  /** How long a client that has ended its side may go without any byte from the destination, in milliseconds. */
  halfClosedIdleMs: 5 * 60_000,
  /**
   * Links of one agent id. An agent has one, and a few more while lost ones are not noticed; several agents may share an id.
   * One more takes the place of the oldest that carries nothing.
   */
  linksOfAgentId: 256,
  /** Identifiers of one agent, all kinds together: an agent may stand for each node of a large cluster. */
  maxIdentifiers: 8192,
  /** Ranges among them, each of which every dial of a strategy that asks for the destination is held against. */
  maxRanges: 1024,
} as const;
