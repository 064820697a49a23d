import type { Owner } from "../faults/fault.ts";

/** A time by which something must have happened. Most deadlines are cancelled before they fire. */
export interface Deadline {
  /** It does not fire any more. Idempotent, and without effect once it has fired. */
  cancel(): void;
}

/**
 * Time as all roles see it: a program composes itself with the runtime's ({@link SystemClock}), tests with one that they turn.
 * Its functions may be handed on alone.
 */
export interface Clock {
  /** Milliseconds of a clock that never goes back; for lengths of time. */
  readonly now: () => number;
  /** Milliseconds since the epoch, of a clock that may be set; for what others read: certificates, leases, logs. */
  readonly timeOfDay: () => number;
  /**
   * Calls back once after `ms` milliseconds, unless the deadline is cancelled before.
   * @param owner what ends when `onFire` throws
   */
  readonly after: (ms: number, onFire: () => void, owner: Owner) => Deadline;
}
