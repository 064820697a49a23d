/** What may be under way on a link whatever its distance while somebody talks over it, in bytes. */
const leastBytes = 128 * 1024;

/** The same while nobody does: what a link needs to run full where its ends have little processor time. */
const leastBulkBytes = 2 * 1024 * 1024;

/** However far and fast the peer is, no more is under way: what the kernel and the peer would have to hold. */
const mostBytes = 64 * 1024 * 1024;

/** How many bytes of data are followed by a mark at least, while somebody talks and while nobody does. */
const markEveryBytes = 32 * 1024;
const bulkMarkEveryBytes = 512 * 1024;

/** What arrives is measured over no less time, in milliseconds: answers come in bursts. */
const leastPeriodMs = 10;

/** What is left of the need of earlier after a period that showed less. */
const remembered = 0.9;

/**
 * Bounds the bytes that are under way on a link, in the buffers of both kernels included. Without it they fill with what
 * downloads may send, megabytes by the sum of their windows, and whatever is written behind waits for all of it. The
 * sender sends a mark behind every so many bytes and the peer answers it, so that the sender knows what has arrived. The
 * bound is twice what the link delivers within its shortest round trip while it is full, so that a distant peer's link is
 * not held back; and where nobody talks over the link, nobody waits, and it is no less than two megabytes.
 */
export class UnderWay {
  readonly #now: () => number;
  #bytes = 0;
  #unmarked = 0;
  /** By distance. */
  #needed = 0;
  #periodBegan = -Infinity;
  /** Bytes that arrived in this period. */
  #arrived = 0;
  /** The bound was reached in this period. */
  #reached = false;
  #talking = false;
  #talkUntil = -Infinity;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** No more data should be sent until an answer comes. */
  get full(): boolean {
    return this.#bytes >= this.limitBytes;
  }

  /** The answer to a mark is still to come. */
  get marked(): boolean {
    return this.#bytes > this.#unmarked;
  }

  /** Somebody talks over the link. */
  get talking(): boolean {
    return this.#talking;
  }

  /** Bytes that may be under way now. */
  get limitBytes(): number {
    return Math.min(mostBytes, Math.max(this.#talking ? leastBytes : leastBulkBytes, this.#needed));
  }

  /** Bytes of data were written. @returns true when a mark is due */
  sent(bytes: number): boolean {
    if (this.#bytes === 0) this.#beginPeriod(this.#now());
    this.#bytes += bytes;
    this.#unmarked += bytes;
    if (this.full) this.#reached = true;
    return this.#unmarked >= (this.#talking ? markEveryBytes : bulkMarkEveryBytes);
  }

  /** Somebody talks on a tunnel, and may go on for so many milliseconds. */
  talk(forMs: number): void {
    this.#talking = true;
    this.#talkUntil = Math.max(this.#talkUntil, this.#now() + forMs);
  }

  /** A mark is written now. @returns the bytes of data between the mark before and this one */
  mark(): number {
    const bytes = this.#unmarked;
    this.#unmarked = 0;
    if (this.#talking && this.#now() > this.#talkUntil) this.#talking = false;
    return bytes;
  }

  /**
   * The peer answered a mark.
   * @param bytes what {@link mark} returned
   * @param roundTripMs the shortest round trip that was ever seen on the link
   */
  answered(bytes: number, roundTripMs: number): void {
    this.#bytes -= bytes;
    this.#arrived += bytes;
    const now = this.#now();
    const periodMs = now - this.#periodBegan;
    if (periodMs < Math.max(leastPeriodMs, roundTripMs)) return;
    // A link that had little to send tells nothing of what it could deliver.
    if (this.#reached) {
      this.#needed = Math.max(2 * roundTripMs * this.#arrived / periodMs, remembered * this.#needed);
    }
    this.#beginPeriod(now);
  }

  #beginPeriod(now: number): void {
    this.#periodBegan = now;
    this.#arrived = 0;
    this.#reached = false;
  }
}
