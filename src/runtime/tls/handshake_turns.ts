import type { Socket } from "node:net";
import { owned, ownerOf } from "../../faults/owned.ts";

/** What handshakes may cost of one turn of the event loop, in milliseconds; one is begun in any case. */
export const handshakeTurnMs = 4;

/** What a {@link HandshakeTurns} goes by; tests turn it by hand. */
export interface TurnClock {
  readonly now: () => number;
  /** Calls back in the next turn of the event loop, behind what can be read by then. */
  readonly nextTurn: (step: () => void) => void;
}

/**
 * TLS handshakes in turns: each costs a millisecond, half of it where its first message is answered. Agents that all come
 * back at once have had theirs answered in one turn, and finished in another, of half a second each, in which no tunnel was
 * served. Those beyond a turn's share wait for the next ones, the first to come first.
 */
export class HandshakeTurns {
  readonly #clock: TurnClock;
  readonly #waiting = new Set<() => void>();
  #spentMs = 0;
  /** When the last step was done. */
  #doneAt = 0;
  #scheduled = false;

  constructor(clock: TurnClock) {
    this.#clock = clock;
  }

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a step of a handshake now, or in a later turn.
   * @param step must not throw
   * @returns what takes it back
   */
  take(step: () => void): () => void {
    this.#begun();
    if (this.#waiting.size > 0 || this.#spentMs >= handshakeTurnMs) this.#waiting.add(step);
    else this.spend(step);
    this.#schedule();
    return () => void this.#waiting.delete(step);
  }

  /** Takes a step that cannot wait; those that can wait for it. */
  spend(step: () => void): void {
    const since = this.#begun();
    try {
      step();
    } finally {
      this.#doneAt = this.#clock.now();
      this.#spentMs += this.#doneAt - since;
    }
  }

  /** Handshakes that come one by one ask for no turns: what one has cost is over when as much time has passed. */
  #begun(): number {
    const now = this.#clock.now();
    this.#spentMs = Math.max(0, this.#spentMs - (now - this.#doneAt));
    this.#doneAt = now;
    return now;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#clock.nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    // What has ended in the last turn beyond its share is this turn's cost, but one goes on.
    this.#spentMs = Math.max(0, this.#spentMs - handshakeTurnMs);
    try {
      for (const step of this.#waiting) {
        this.#waiting.delete(step);
        this.spend(step);
        if (this.#spentMs >= handshakeTurnMs) break;
      }
    } finally {
      this.#schedule();
    }
  }
}

/** Those of all listeners of this thread. */
export const handshakeTurns = new HandshakeTurns({
  now: () => performance.now(),
  nextTurn: (step) => void setImmediate(owned(ownerOf("listener"), step)),
});

/** The part of a TLS server that {@link handshakesInTurns} needs. */
export interface TurnedServer {
  listeners(event: "connection"): unknown[];
  removeAllListeners(event: "connection"): unknown;
  on(event: "connection", listener: (socket: Socket) => void): unknown;
}

/**
 * Has a TLS server begin its handshakes in turns, where nothing else looks at them first.
 * @param server before anything else listens to its connections
 * @param guard runs what is done for a connection; what a step throws must end the connection alone
 */
export function handshakesInTurns(server: TurnedServer, guard: (socket: Socket, step: () => void) => void): void {
  const handshake = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket) => {
    // The end of the connection follows.
    const onError = () => {};
    const onClose = () => takeBack();
    const begin = () => {
      socket.off("error", onError).off("close", onClose);
      for (const listener of handshake) if (typeof listener === "function") listener.call(server, socket);
    };
    socket.on("error", onError).on("close", onClose);
    const takeBack = handshakeTurns.take(() => guard(socket, begin));
  });
}
