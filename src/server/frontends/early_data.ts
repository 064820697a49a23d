import type { Owner } from "../../faults/fault.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";

/**
 * How long DATA is held, in milliseconds, once DIAL_RSP has reached the client, unless the client speaks first. The
 * Go client's receive loop hands DIAL_RSP to the goroutine that dialled, which only then enters the connection into its
 * table; DATA that arrives before that is dropped and the connection closed. No packet says when it is done, so time
 * must.
 */
const holdMs = 25;

/** How long a client's answer to the ping behind DIAL_RSP is waited for, in milliseconds. */
const arrivalLimitMs = 1_000;

/**
 * Holds the first bytes of a destination that speaks first until the client can take them, and the ends behind them. They
 * count as not taken, so that what follows them waits in the channel.
 */
export class EarlyData {
  readonly #deliver: (payload: Uint8Array) => boolean;
  readonly #onDrain: () => void;
  readonly #owner: Owner;
  readonly #clock: Clock;
  readonly #askArrival: ((onAnswer: () => void) => void) | undefined;
  readonly #since: number;
  /** DIAL_RSP is known to have reached the client. */
  #arrived: boolean;
  #held: Uint8Array[] = [];
  /** What comes behind the bytes that are held. */
  #behind: (() => void)[] = [];
  /** The client takes more, by what it said last. */
  #more = true;
  #wait: Deadline | undefined;
  #released = false;

  /**
   * @param deliver sends bytes to the client; false when it is full
   * @param onDrain called once held bytes have been delivered to a client that takes more
   * @param owner what ends when one of them throws
   * @param askArrival asks the client for a sign that what was sent has arrived; absent where there is none
   */
  constructor(
    deliver: (payload: Uint8Array) => boolean,
    onDrain: () => void,
    owner: Owner,
    clock: Clock,
    askArrival?: (onAnswer: () => void) => void,
  ) {
    this.#deliver = deliver;
    this.#onDrain = onDrain;
    this.#owner = owner;
    this.#clock = clock;
    this.#since = clock.now();
    this.#askArrival = askArrival;
    this.#arrived = askArrival === undefined;
  }

  /** Bytes wait here. */
  get holding(): boolean {
    return this.#held.length > 0;
  }

  /** Nothing is held any more, whatever comes. */
  get released(): boolean {
    return this.#released;
  }

  /** Takes bytes for the client; false when it should get no more for now. */
  take(payload: Uint8Array): boolean {
    if (this.#released) return this.#deliver(payload);
    this.#held.push(payload);
    this.#arm();
    return this.#released && this.#more;
  }

  /** Does something behind the bytes that are held; at once where there are none. */
  after(step: () => void): void {
    if (this.holding) this.#behind.push(step);
    else step();
  }

  #arm(): void {
    if (this.#wait !== undefined) return;
    const openMs = this.#clock.now() - this.#since;
    if (openMs > arrivalLimitMs) return this.#release();
    if (this.#arrived) {
      const remainingMs = holdMs - openMs;
      if (remainingMs <= 0) this.#release();
      // A whole number: deadlines of one length share a timer.
      else this.#releaseIn(Math.ceil(remainingMs));
      return;
    }
    this.#releaseIn(arrivalLimitMs);
    this.#askArrival?.(() => {
      if (this.#released || this.#arrived) return;
      this.#arrived = true;
      this.#wait?.cancel();
      this.#releaseIn(holdMs);
    });
  }

  #releaseIn(ms: number): void {
    this.#wait = this.#clock.after(ms, () => this.#release(), this.#owner);
  }

  /** The client sent something of its connection, so it knows it. */
  clientSpoke(): void {
    if (!this.#released) this.#release();
  }

  /** The client is gone. */
  discard(): void {
    this.#released = true;
    this.#held = [];
    this.#behind = [];
    this.#wait?.cancel();
  }

  #release(): void {
    this.#wait?.cancel();
    this.#released = true;
    const [held, behind] = [this.#held, this.#behind];
    this.#held = [];
    this.#behind = [];
    for (const payload of held) this.#more = this.#deliver(payload);
    for (const step of behind) step();
    if (this.#more) this.#onDrain();
  }
}
