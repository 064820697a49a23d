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
 * Holds the first bytes of a destination that speaks first until the client can take them. They count as not taken, so that
 * what follows them waits in the channel.
 */
export class EarlyData {
  readonly #deliver: (payload: Uint8Array) => boolean;
  readonly #onReleased: (more: boolean) => void;
  readonly #since: number;
  /** DIAL_RSP is known to have reached the client. */
  #arrived: boolean;
  #held: Uint8Array[] = [];
  /** The client takes more, by what it said last. */
  #more = true;
  #wait: Deadline | undefined;
  #released = false;
  readonly #owner: Owner;
  readonly #clock: Clock;
  readonly #askArrival: ((onAnswer: () => void) => void) | undefined;

  /**
   * @param deliver sends bytes to the client; false when it is full
   * @param onReleased called once after held bytes have been delivered: whether the client takes more
   * @param owner what ends when one of them throws
   * @param askArrival asks the client for a sign that what was sent has arrived; absent where there is none
   */
  constructor(
    deliver: (payload: Uint8Array) => boolean,
    onReleased: (more: boolean) => void,
    owner: Owner,
    clock: Clock,
    askArrival?: (onAnswer: () => void) => void,
  ) {
    this.#deliver = deliver;
    this.#onReleased = onReleased;
    this.#owner = owner;
    this.#clock = clock;
    this.#since = clock.now();
    this.#askArrival = askArrival;
    this.#arrived = askArrival === undefined;
  }

  /** Bytes wait; whatever follows them must wait for `onReleased`. */
  get holding(): boolean {
    return this.#held.length > 0;
  }

  /** Takes bytes for the client; false when it should get no more for now. */
  take(payload: Uint8Array): boolean {
    if (this.#released) return this.#deliver(payload);
    this.#held.push(payload);
    this.#arm();
    return this.#released && this.#more;
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
    this.#wait?.cancel();
  }

  #release(): void {
    this.#wait?.cancel();
    this.#released = true;
    const held = this.#held;
    this.#held = [];
    for (const payload of held) this.#more = this.#deliver(payload);
    this.#onReleased(this.#more);
  }
}
