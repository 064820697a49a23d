import { timeLimit } from "../time/time_limit.ts";

/** How often a peer is looked at that this side has ended its stream or connection to, in milliseconds. */
const lookMs = 10_000;

/** Looks in a row at which a peer has taken none of the bytes that wait for it, until it is dropped. */
const stalledLooks = 6;

/**
 * Watches a peer that was told the end: it must not hold a stream or connection for ever, but the last bytes are its own
 * for as long as it takes some of them, however slowly.
 * @param waitingBytes that it has not taken yet
 * @param drop called once, when it has had everything for ten seconds, or has taken nothing for a minute
 * @returns what ends the watch
 */
export function linger(waitingBytes: () => number, drop: () => void): () => void {
  let before = waitingBytes();
  let stalled = 0;
  const look = () => {
    const waiting = waitingBytes();
    stalled = waiting < before ? 0 : stalled + 1;
    before = waiting;
    if (stalled >= (waiting === 0 ? 1 : stalledLooks)) drop();
    else limit = timeLimit(lookMs, look);
  };
  let limit = timeLimit(lookMs, look);
  return () => limit.lift();
}
