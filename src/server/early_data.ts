/**
 * How long DATA is held back behind DIAL_RSP, in milliseconds, unless the client speaks first. The Go client's receive
 * loop hands DIAL_RSP to the goroutine that dialled, which only then enters the connection into its table; DATA that
 * arrives before that is dropped and the connection closed. No packet tells when it is done, so time must.
 */
const holdMs = 25;

/** Bytes held back at most before the sender is told to wait. */
const holdLimitBytes = 256 * 1024;

/** Holds the first bytes of a destination that speaks first until the client can take them. */
export class EarlyData {
  readonly #since = performance.now();
  readonly #deliver: (payload: Uint8Array) => boolean;
  readonly #onReleased: () => void;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #released = false;

  /**
   * @param deliver sends bytes to the client; false when it is full
   * @param onReleased called once after held bytes have been delivered
   */
  constructor(deliver: (payload: Uint8Array) => boolean, onReleased: () => void) {
    this.#deliver = deliver;
    this.#onReleased = onReleased;
  }

  /** Bytes wait; whatever follows them must wait for `onReleased`. */
  get holding(): boolean {
    return this.#held.length > 0;
  }

  /** Takes bytes for the client; false when it should get no more for now. */
  take(payload: Uint8Array): boolean {
    if (this.#released) return this.#deliver(payload);
    this.#held.push(payload);
    this.#heldBytes += payload.length;
    this.#arm();
    return this.#released || this.#heldBytes < holdLimitBytes;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const left = holdMs - (performance.now() - this.#since);
    if (left <= 0) this.#release();
    else this.#timer = setTimeout(() => this.#release(), left);
  }

  /** The client sent something of its connection, so it knows it. */
  clientSpoke(): void {
    if (!this.#released) this.#release();
  }

  /** The client is gone. */
  discard(): void {
    this.#released = true;
    this.#held = [];
    clearTimeout(this.#timer);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#released = true;
    const held = this.#held;
    this.#held = [];
    for (const payload of held) this.#deliver(payload);
    this.#onReleased();
  }
}
