import { timeLimit } from "../time/time_limit.ts";

/** Time as the agent's parts see it, so that tests can drive it. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back once after `ms` milliseconds; the result takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** The same for a length of time that many wait for, one after the other or at once: they share a timer. */
  limit(ms: number, onDue: () => void): () => void;
}

/** The runtime's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  limit: (ms, onDue) => {
    const limit = timeLimit(ms, onDue);
    return () => limit.lift();
  },
};
