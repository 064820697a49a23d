/** Time as the agent's parts see it, so that tests can drive it. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back once after `ms` milliseconds; the result takes it back. */
  after(ms: number, callback: () => void): () => void;
}

/** The runtime's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
