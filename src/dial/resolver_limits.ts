/** Bounds of what one resolver has in flight. Each has a test with a hostile peer. */
export interface ResolverLimits {
  /** Names that name servers are asked for at once; one more fails at once. */
  readonly maxLookups: number;
  /** The same of one asker, which is a link. */
  readonly maxLookupsOfOne: number;
  /** Sockets to name servers; beyond that questions share them, so that none waits for another. */
  readonly maxSockets: number;
  /**
   * Look-ups by the system's library, which block a thread each. The runtime has 32 of them, for files and the log too, and
   * a process has two resolvers.
   */
  readonly maxSystemLookups: number;
}

/** The defaults. A link may have as many dials in flight as one asker has look-ups. */
export const resolverLimits: ResolverLimits = {
  maxLookups: 8_192,
  maxLookupsOfOne: 4_096,
  maxSockets: 512,
  maxSystemLookups: 4,
};
