/** What may be under way on a link whatever its distance, in bytes: with it a link within a machine or a rack runs full. */
const leastBytes = 512 * 1024;

/** However far and fast the peer is, no more is under way: what the kernel and the peer would have to hold. */
const mostBytes = 64 * 1024 * 1024;

/** How many bytes of data are followed by a mark at least. */
const markEveryBytes = 128 * 1024;

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
 * sender sends a mark behind every so many bytes and the peer answers it, so that the sender knows what has arrived; the
 * bound is twice what the link delivers within its shortest round trip, so that a distant peer's link is not held back.
 */
export class UnderWay {
  #bytes = 0;
  #unmarked = 0;
  #arrived = 0;
  #limit = leastBytes;

  /** No more data should be sent until an answer comes. */
  get full(): boolean {
    return this.#bytes >= this.#limit;
  }

  /** Bytes that may be under way now. */
  get limitBytes(): number {
    return this.#limit;
  }

  /** Bytes of data were written. @returns true when a mark is due */
  sent(bytes: number): boolean {
    this.#bytes += bytes;
    this.#unmarked += bytes;
    return this.#unmarked >= markEveryBytes;
  }

  /** A mark is written now. */
  mark(): Mark {
    const bytes = this.#unmarked;
    this.#unmarked = 0;
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
    const limit = Math.max(leastBytes, 2 * inRoundTrip, this.#limit * 0.98);
    this.#limit = Math.min(mostBytes, limit);
  }
}
