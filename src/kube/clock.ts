/** Time as this folder's parts see it, so that tests can drive it. */
export interface Clock {
  /** Milliseconds since the epoch: leases carry times of day. */
  now(): number;
  /** Calls back once after `ms` milliseconds; the result takes it back. */
  after(ms: number, callback: () => void): () => void;
}

/** The runtime's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Fulfilled after `ms` milliseconds, or as soon as the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener("abort", done);
  });
}
