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
 * noticed in 27.5 s.
 */
export const keepaliveTimeoutMs = 15_000;

/** Looks within an interval whether the peer has sent anything: silence is noticed after 5/4 of it at the latest. */
const looks = 4;

/**
 * Pings a connection whose peer has sent nothing for an interval, and drops it when neither an answer nor anything else comes
 * in time, so that a peer that vanished without a word is noticed. A connection whose peer lives is never dropped, however
 * slow its streams are. Once it was pinged, a peer that pings by itself, as agents do, is not: of ten thousand links that
 * are pinged from both ends the server pays for twice as many pings as it needs. The first ping is sent whatever comes,
 * since the round trip that was measured when the link began may be that of a storm of links.
 * @param intervalMs of silence before a ping; 0: never
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
  let pinged = false;
  let heardAt = clock.now();
  let seen = session.bytesRead;
  const owner = ownerOf("connection", (error) => session.destroy(error));
  const heard = () => {
    seen = session.bytesRead;
    heardAt = clock.now();
  };
  const wait = () => {
    limit = clock.after(intervalMs / looks, look, owner);
  };
  const look = () => {
    if (session.destroyed) return;
    if (pinged && session.bytesRead !== seen) heard();
    if (clock.now() - heardAt >= intervalMs) ping();
    else wait();
  };
  const ping = () => {
    pinged = true;
    seen = session.bytesRead;
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
      if (session.destroyed) return;
      heard();
      wait();
    }));
  };
  session.once("close", owned(owner, () => limit?.cancel()));
  wait();
}
