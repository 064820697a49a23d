import type { Socket } from "node:net";

/** A connection on which nothing has arrived for so long is probed, and probed as often from then on: as in Go. */
const intervalMs = 15_000;

/** In how many parts the sockets are visited within an interval, so that ten thousand do not cost one long turn. */
const parts = 15;

/**
 * TCP keepalive on sockets with the interval that Go's servers and diallers have. node:net of Deno 2.9.6 ignores the
 * server's option `keepAlive`, and `socket.setKeepAlive(true, ms)` sets the time until the first probe only: the others
 * follow each other in the system's interval, which is 75 s on Linux, so that a machine that vanished would be noticed
 * after 11 minutes instead of 150 s. To set the idle time again makes Linux probe at once where it has passed, which counts
 * as one of the nine probes. `keepalive_probes_test.ts` watches the system's own timers.
 */
class KeepaliveProbes {
  readonly #sockets = new Set<Socket>();
  readonly #forget: (this: Socket) => void;
  /** Of this round. */
  #visits: Iterator<Socket> = this.#sockets.values();
  #visitsEach = 0;
  #part = 0;
  /** Other than in the round before: the runtime ignores a time that is set already. */
  #idleMs = intervalMs;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    const sockets = this.#sockets;
    this.#forget = function (this: Socket) {
      sockets.delete(this);
    };
  }

  add(socket: Socket): void {
    if (socket.destroyed) return;
    socket.setKeepAlive(true, this.#idleMs);
    this.#sockets.add(socket);
    socket.on("close", this.#forget);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#visit(), intervalMs / parts);
    Deno.unrefTimer(this.#timer);
  }

  /** Visits a part of the sockets: a round of them takes an interval. Those that come during a round are not due in it. */
  #visit(): void {
    if (this.#sockets.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#part = 0;
      return;
    }
    if (this.#part === 0) {
      this.#visits = this.#sockets.values();
      this.#visitsEach = Math.ceil(this.#sockets.size / parts);
      this.#idleMs = this.#idleMs === intervalMs ? intervalMs + 1_000 : intervalMs;
    }
    for (let visits = this.#visitsEach; visits > 0; visits--) {
      const { value: socket, done } = this.#visits.next();
      if (done) break;
      socket.setKeepAlive(true, this.#idleMs);
    }
    this.#part = (this.#part + 1) % parts;
  }
}

const probes = new KeepaliveProbes();

/** Has the system probe a TCP connection when it is silent. */
export function probeWhenSilent(socket: Socket): void {
  probes.add(socket);
}
