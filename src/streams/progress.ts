import type { Owner } from "../faults/fault.ts";

/** Calls back once after some milliseconds, unless that is cancelled before. An owner ends when its callback throws. */
export type After = (ms: number, onFire: () => void, owner: Owner) => { cancel(): void };

/** How the progress of a peer is watched. */
export interface ProgressOptions {
  /** How often it is checked, in milliseconds. */
  readonly everyMs: number;
  /** Checks in a row without progress until it has stalled, given the bytes that wait; absent: one. */
  readonly patience?: (waitingBytes: number) => number;
  readonly after: After;
  readonly owner: Owner;
}

/**
 * Watches a peer that is to take what waits for it: however slowly it does so, it has its time, and when it has taken
 * nothing for a while, `onStalled` is called once.
 * @returns what ends the watch
 */
export function watchProgress(
  waitingBytes: () => number,
  { everyMs, patience = () => 1, after, owner }: ProgressOptions,
  onStalled: () => void,
): () => void {
  let before = waitingBytes();
  let stalled = 0;
  const check = () => {
    const waiting = waitingBytes();
    stalled = waiting < before ? 0 : stalled + 1;
    before = waiting;
    if (stalled >= patience(waiting)) onStalled();
    else next = after(everyMs, check, owner);
  };
  let next = after(everyMs, check, owner);
  return () => next.cancel();
}
