import { ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import { watchProgress } from "../../streams/progress.ts";

/** How often the progress of a peer is checked whose stream or connection this side has ended, in milliseconds. */
const everyMs = 10_000;

/** Checks in a row at which a peer has taken none of the bytes that wait for it, until it is dropped. */
const stalledChecks = 6;

/**
 * Watches a peer that was sent the end: it must not hold a stream or connection for ever, but the last bytes are its own
 * for as long as it takes some of them, however slowly.
 * @param waitingBytes that it has not taken yet
 * @param drop called once, when it has had everything for ten seconds, or has taken nothing for a minute
 * @returns what ends the watch
 */
export function linger(waitingBytes: () => number, drop: () => void, clock: Clock): () => void {
  // Whatever throws: the peer was sent the end, and must not hold it.
  const owner = ownerOf("stream", drop);
  const patience = (waiting: number) => waiting === 0 ? 1 : stalledChecks;
  return watchProgress(waitingBytes, { everyMs, patience, after: clock.after, owner }, drop);
}
