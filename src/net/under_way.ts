/** What may be under way on a link whatever its distance while somebody talks over it, in bytes. */
const leastBytes = 256 * 1024;

/** The same while nobody does: what a link needs to run full where its ends have little processor time. */
const leastBulkBytes = 4 * 1024 * 1024;

/** However far and fast the peer is, no more is under way: what the kernel and the peer would have to hold. */
const mostBytes = 64 * 1024 * 1024;

/** How many bytes of data are followed by a mark at least, while somebody talks and while nobody does. */
const markEveryBytes = 64 * 1024;
const bulkMarkEveryBytes = 1024 * 1024;

/** Somebody talks while {@link UnderWay.talk} is called again within this time, in milliseconds... */
const talkPauseMs = 250;

/** ...and has been for this long: what begins some transfers is no talk. */
const talkBeginsMs = 20;

/** A mark that has been sent and not been answered. */
export interface Mark {
  /** Bytes of data between the mark before and this one. */
  readonly bytes: number;
  /** {@link UnderWay} had seen so many bytes arrive when the mark was sent. */
  readonly arrivedBefore: number;
}

/**
 * Bounds the bytes that are under way on a link, in the buffers of both kernels included. Without it they fill with what
 * downloads may send, megabytes by the sum of their windows, and whatever is written behind waits for all of it. The
 * sender sends a mark behind every so many bytes and the peer answers it, so that the sender knows what has arrived. The
 * bound is twice what the link delivers within its shortest round trip, so that a distant peer's link is not held back;
 * and where nobody talks over the link, nobody waits, and it is no less than a few megabytes.
 */
export class UnderWay {
  readonly #now: () => number;
  #bytes = 0;
  #unmarked = 0;
  #arrived = 0;
  /** By distance. */
  #needed = 0;
  #talking = false;
  #talkBegan = -Infinity;
  #lastTalk = -Infinity;

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
    this.#bytes += bytes;
    this.#unmarked += bytes;
    return this.#unmarked >= (this.#talking ? markEveryBytes : bulkMarkEveryBytes);
  }

  /** Small payloads follow each other on a tunnel. */
  talk(): void {
    const now = this.#now();
    if (now - this.#lastTalk > talkPauseMs) this.#talkBegan = now;
    else if (now - this.#talkBegan > talkBeginsMs) this.#talking = true;
    this.#lastTalk = now;
  }

  /** A mark is written now. */
  mark(): Mark {
    const bytes = this.#unmarked;
    this.#unmarked = 0;
    if (this.#talking && this.#now() - this.#lastTalk > talkPauseMs) this.#talking = false;
    return { bytes, arrivedBefore: this.#arrived };
  }

  /**
   * The peer answered a mark.
   * @param tookMs from the mark to its answer
   * @param roundTripMs the shortest round trip that was ever seen on the link
   */
  answered(mark: Mark, tookMs: number, roundTripMs: number): void {
    this.#bytes -= mark.bytes;
    this.#arrived += mark.bytes;
    const inRoundTrip = (this.#arrived - mark.arrivedBefore) * roundTripMs / Math.max(tookMs, roundTripMs, 0.001);
    // A link that had little to send for a while is not begun anew.
    this.#needed = Math.max(2 * inRoundTrip, this.#needed * 0.98);
  }
}
