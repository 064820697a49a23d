import { Code, ConnectError } from "@connectrpc/connect";
import { ownerOf } from "../../../src/faults/owned.ts";
import type { VirtualClock } from "../../support/fakes/virtual_clock.ts";
import type { Random } from "../random.ts";
import type { Timeline } from "../timeline.ts";
import { Pipe } from "./pipe.ts";
import { SimSocket } from "./sim_socket.ts";

/** How the way between two hosts is. */
export interface Way {
  readonly delayMs: number;
  /** A segment takes longer by up to this part of the delay. */
  readonly jitter: number;
  readonly bytesPerMs: number;
  readonly bufferBytes: number;
}

/** Takes a connection. */
export type Accept = (socket: SimSocket, from: string) => void;

/**
 * How long sent bytes are repeated that nobody confirms, and an idle connection is probed, until the system gives the connection
 * up, in milliseconds.
 */
const unconfirmedMs = 60_000;

/** A listener for all ports that have none of their own. */
export const anyPort = 0;

const owner = ownerOf("connection");

interface Connection {
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly ends: readonly [SimSocket, SimSocket];
  readonly pipes: readonly [Pipe, Pipe];
  /** Something between the ends has forgotten the connection: all that is sent is lost. */
  forgotten: boolean;
}

/** What is refused at a host. */
interface HostState {
  readonly listeners: Map<number, Accept>;
  /** No descriptor is free: connections are made, and wait to be accepted. */
  full: boolean;
  readonly waiting: (() => void)[];
  /** Its processes, of which one is there at a time: how many have ended. */
  ended: number;
}

/** Hosts, and what is between any two of them. All that happens in it follows from its random numbers. */
export class Network {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #timeline: Timeline;
  readonly #wayOf: (from: string, to: string) => Way;
  readonly #hosts = new Map<string, HostState>();
  readonly #connections = new Set<Connection>();
  readonly #cuts = new Set<string>();
  readonly #sinceCut: (() => void)[] = [];
  #made = 0;

  constructor(clock: VirtualClock, random: Random, timeline: Timeline, wayOf: (from: string, to: string) => Way) {
    this.#clock = clock;
    this.#random = random;
    this.#timeline = timeline;
    this.#wayOf = wayOf;
  }

  /** Connections that have an end that is open. */
  get open(): number {
    let open = 0;
    for (const { ends } of this.#connections) if (ends.some(({ destroyed }) => !destroyed)) open++;
    return open;
  }

  /** A connection between hosts of two kinds that nothing passes on any more, and that an end still has; undefined: none. */
  deadBetween(kindA: string, kindB: string): string | undefined {
    for (const { from, to, ends, forgotten } of this.#connections) {
      const isBetween = from.startsWith(kindA) && to.startsWith(kindB);
      if (forgotten && isBetween && ends.some(({ destroyed }) => !destroyed)) return `${from} and ${to}`;
    }
    return undefined;
  }

  listen(host: string, port: number, accept: Accept): void {
    this.#state(host).listeners.set(port, accept);
  }

  /** The network as a host's present process has it: once that is gone, it connects to nothing. */
  from(host: string): (to: string, port: number, signal: AbortSignal) => Promise<SimSocket> {
    const { ended } = this.#state(host);
    return (to, port, signal) => {
      if (this.#state(host).ended > ended) return new Promise(() => {});
      return this.connect(host, to, port, signal);
    };
  }

  /**
   * Connects; nothing is heard where the network is cut, until the signal aborts.
   * @throws {ConnectError} nobody listens; the signal's reason
   */
  connect(from: string, to: string, port: number, signal: AbortSignal): Promise<SimSocket> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#state(from).full) return reject(Object.assign(new Error("connect EMFILE"), { code: "EMFILE" }));
      const { ended } = this.#state(from);
      const attempt = {
        done: false,
        /** Nobody has heard of it yet. */
        drop: () => {},
        over: () => attempt.done || this.#state(from).ended > ended,
      };
      const giveUp = () => {
        attempt.done = true;
        attempt.drop();
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp);
      const settle = (step: () => void) => {
        if (attempt.over()) return;
        attempt.done = true;
        signal.removeEventListener("abort", giveUp);
        step();
      };
      this.#travel(from, to, () => {
        if (attempt.over()) return;
        const { listeners } = this.#state(to);
        const accept = listeners.get(port) ?? listeners.get(anyPort);
        if (accept === undefined) {
          const refused = new ConnectError(`connect ECONNREFUSED ${to}:${port}`, Code.Unavailable);
          return this.#travel(to, from, () => settle(() => reject(refused)));
        }
        const connection = this.#join(from, to, port);
        const [near, far] = connection.ends;
        attempt.drop = () => void near.destroy();
        this.#accepted(to, () => {
          if (far.destroyed) return;
          accept(far, from);
          this.#travel(to, from, () => {
            if (attempt.over()) near.destroy();
            else settle(() => resolve(near));
          });
        });
      });
    });
  }

  // ---- faults ----

  /** Nothing passes between two hosts until {@link heal}. */
  cut(a: string, b: string): void {
    this.#cuts.add(pairOf(a, b));
  }

  /** What was sent meanwhile arrives now. */
  heal(a: string, b: string): void {
    this.#cuts.delete(pairOf(a, b));
    for (const { from, to, pipes } of this.#connections) {
      if (pairOf(from, to) === pairOf(a, b)) { for (const pipe of pipes) pipe.resend(); }
    }
    for (const step of this.#sinceCut.splice(0)) step();
  }

  /** Breaks connections between two hosts. @returns how many */
  reset(a: string, b: string, share: number): number {
    return this.#each(a, b, share, ({ ends }) => {
      for (const end of ends) end.broke(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    });
  }

  /** Something between two hosts forgets their connections: neither end hears of it. @returns how many */
  forget(a: string, b: string, share: number): number {
    return this.#each(a, b, share, (connection) => this.#forget(connection));
  }

  /** A host has no descriptors left, or some again. */
  setFull(host: string, full: boolean): void {
    const state = this.#state(host);
    state.full = full;
    if (!full) { for (const accept of state.waiting.splice(0)) accept(); }
  }

  /** The host's processes are gone: its connections end as the system ends them, or without a word where its power is off. */
  kill(host: string, powerOff: boolean): void {
    const state = this.#state(host);
    state.ended++;
    state.listeners.clear();
    state.waiting.length = 0;
    for (const connection of this.#connections) {
      const { from, to, ends: [near, far] } = connection;
      if (from !== host && to !== host) continue;
      if (powerOff) this.#forget(connection);
      if (from === host) near.detach();
      if (to === host) far.detach();
    }
  }

  // ---- own ----

  #forget(connection: Connection): void {
    connection.forgotten = true;
    this.#clock.after(unconfirmedMs, () => {
      for (const end of connection.ends) {
        end.broke(Object.assign(new Error("read ETIMEDOUT"), { code: "ETIMEDOUT" }));
      }
    }, owner);
  }

  #each(a: string, b: string, share: number, step: (connection: Connection) => void): number {
    let hit = 0;
    for (const connection of [...this.#connections]) {
      const { from, to, ends } = connection;
      if (pairOf(from, to) !== pairOf(a, b) || ends.every(({ destroyed }) => destroyed)) continue;
      if (!this.#random.chance(share)) continue;
      hit++;
      step(connection);
    }
    return hit;
  }

  #state(host: string): HostState {
    let state = this.#hosts.get(host);
    if (state === undefined) {
      state = { listeners: new Map(), full: false, waiting: [], ended: 0 };
      this.#hosts.set(host, state);
    }
    return state;
  }

  /** A step at the other host, once a small packet has come there. */
  #travel(from: string, to: string, step: () => void): void {
    const { delayMs, jitter } = this.#wayOf(from, to);
    this.#clock.after(delayMs * (1 + jitter * this.#random.next()), () => {
      if (this.#cuts.size > 0 && this.#cuts.has(pairOf(from, to))) {
        this.#sinceCut.push(() => this.#travel(from, to, step));
      } else step();
    }, owner);
  }

  #accepted(host: string, accept: () => void): void {
    const state = this.#state(host);
    if (state.full) state.waiting.push(accept);
    else accept();
  }

  #join(from: string, to: string, port: number): Connection {
    const number = ++this.#made;
    const soon = (step: () => void) => void this.#clock.after(0, step, owner);
    const near = new SimSocket({ soon }, { host: to, port });
    const far = new SimSocket({ soon }, { host: from, port: 1024 + number });
    const is = (): Connection => connection;
    const there = this.#pipe(near, far, from, to, 2 * number, is);
    const back = this.#pipe(far, near, to, from, 2 * number + 1, is);
    Pipe.join(there, back);
    const connection: Connection = {
      number,
      from,
      to,
      ends: [near, far],
      pipes: [there, back],
      forgotten: false,
    };
    near.attach(there);
    far.attach(back);
    this.#connections.add(connection);
    const closed = () => {
      if (near.destroyed && far.destroyed) this.#connections.delete(connection);
    };
    near.on("close", closed);
    far.on("close", closed);
    return connection;
  }

  #pipe(near: SimSocket, far: SimSocket, from: string, to: string, number: number, is: () => Connection): Pipe {
    const way = this.#wayOf(from, to);
    const random = this.#random;
    const timeline = this.#timeline;
    const clock = this.#clock;
    let busyUntil = 0;
    let isUnconfirmed = false;
    const cuts = this.#cuts;
    const pair = pairOf(from, to);
    return new Pipe(near, far, {
      now: clock.now,
      bufferBytes: way.bufferBytes,
      after: (ms, step) => void clock.after(ms, step, owner),
      delayMs(bytes) {
        busyUntil = Math.max(busyUntil, clock.now()) + bytes / way.bytesPerMs;
        return busyUntil - clock.now() + way.delayMs * (1 + way.jitter * random.next());
      },
      get fate() {
        if (is().forgotten) return "lost";
        return cuts.size > 0 && cuts.has(pair) ? "waits" : "arrives";
      },
      cut: (bytes) => bytes > 1 && random.chance(0.1) ? 1 + random.int(bytes - 1) : 0,
      arrived: (segment) => timeline.packet(number, typeof segment === "string" ? segment.length : sumOf(segment)),
      unconfirmed: () => {
        if (isUnconfirmed) return;
        isUnconfirmed = true;
        clock.after(unconfirmedMs, () => {
          near.broke(Object.assign(new Error("read ETIMEDOUT"), { code: "ETIMEDOUT" }));
        }, owner);
      },
    });
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** A number that changes with a segment's length, and with what is in it. */
function sumOf(segment: Uint8Array): number {
  let sum = segment.length;
  for (let at = 0; at < segment.length; at += 1 + (segment.length >> 4)) {
    sum = Math.imul(sum, 31) + (segment[at] ?? 0) | 0;
  }
  return sum;
}
