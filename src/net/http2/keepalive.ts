import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";

/** A connection that can be asked for a sign of life. */
export interface Pingable {
  readonly destroyed: boolean;
  /** Bytes that have come from the peer so far. */
  readonly bytesRead: number;
  ping(onAnswer: () => void): unknown;
  destroy(error: Error): void;
  once(event: "close", listener: () => void): unknown;
}

/**
 * How long a peer may take to answer a ping before its connection is given up. With the default interval a dead peer is
 * noticed in 25 s.
 */
export const keepaliveTimeoutMs = 15_000;

/**
 * Pings a connection at intervals and drops it when neither an answer nor anything else comes in time, so that a peer
 * that vanished without a word is noticed. A connection whose peer lives is never dropped, however slow its streams are.
 * @param intervalMs between pings; 0: never
 * @param timeoutMs for an answer, or any byte
 */
export function keepAlive(
  session: Pingable,
  intervalMs: number,
  clock: Clock,
  timeoutMs: number = keepaliveTimeoutMs,
): void {
  if (intervalMs === 0) return;
  let limit: Deadline | undefined;
  const owner = ownerOf("connection", (error) => session.destroy(error));
  const wait = () => {
    limit = clock.after(intervalMs, ping, owner);
  };
  const ping = () => {
    if (session.destroyed) return;
    let seen = session.bytesRead;
    const checkActivity = () => {
      // On a slow line the ping, or its answer, waits behind data; a peer that sends anything lives.
      if (session.bytesRead === seen) return session.destroy(new Error(`no answer to a ping in ${timeoutMs} ms`));
      seen = session.bytesRead;
      limit = clock.after(timeoutMs, checkActivity, owner);
    };
    limit = clock.after(timeoutMs, checkActivity, owner);
    session.ping(owned(owner, () => {
      // The answer may come with the end of the session.
      limit?.cancel();
      if (!session.destroyed) wait();
    }));
  };
  session.once("close", owned(owner, () => limit?.cancel()));
  wait();
}
