/** What may be in flight on a link of whatever distance while a tunnel on it is interactive, in bytes. */
const minBytes = 128 * 1024;

/** The same while none is: what a link needs to run full where its ends have little processor time. */
const minBulkBytes = 2 * 1024 * 1024;

/** However far and fast the peer is, no more is in flight: what the kernel and the peer would have to hold. */
const maxBytes = 64 * 1024 * 1024;

/** A probe follows at least every so many bytes of data, while a tunnel is interactive and while none is. */
const probeEveryBytes = 32 * 1024;
const bulkProbeEveryBytes = 512 * 1024;

/** Delivery is measured over no less time, in milliseconds: answers come in bursts. */
const minPeriodMs = 10;

/** What remains of the estimate after a period that showed less. */
const decay = 0.9;

/** Data bytes may be in flight for so many bandwidth-delay products (BDP)... */
const bdpFactor = 2;

/** ...and for more at first, until some periods have shown no link that is so much faster than was known. */
const startFactor = 4;
const startRise = 1.25;
const startPeriods = 3;

/** While a tunnel is interactive, what waits on the way to a distant peer makes it wait about so long, in milliseconds. */
const queueMs = 4;

/** The bound goes so much of the way to what would do: what waits shows a round trip later. */
const queueStep = 0.5;

/**
 * Bounds the bytes in flight on a link, the buffers of both kernels included. Without it they fill with what downloads may
 * send, megabytes by the sum of their windows, and whatever is written behind waits for all of it. The sender sends a probe
 * (a ping) behind every so many bytes and the peer answers it, so that the sender knows what was delivered. The bound
 * follows the bandwidth-delay product: what the link delivers within its shortest round trip (RTT) while it is full, so that
 * a distant peer's link runs full. Twice that is enough; four times is, while the link is still found to be faster. Where no
 * tunnel is interactive, nobody waits, and it is no less than two megabytes. While one is, all above the product itself would
 * make it wait: by how much even the quickest answer of a period is late, so much is always on the way for nothing, and the
 * bound becomes smaller. What delays some answers only, such as a lack of processor time, is no reason for that.
 */
export class InFlightLimiter {
  readonly #now: () => number;
  #bytes = 0;
  /** Bytes behind the last probe. */
  #unprobed = 0;
  /** The bandwidth-delay product. */
  #bdpBytes = 0;
  /** Periods that have shown no link that is much faster than was known. */
  #flatPeriods = 0;
  /** The bound that lets little wait on the way, while a tunnel is interactive. */
  #queueBytes = Infinity;
  /** The quickest answer of this period, in milliseconds. */
  #quickestMs = Infinity;
  #periodBegan = -Infinity;
  /** Bytes that were delivered in this period. */
  #delivered = 0;
  /** The bound was reached in this period. */
  #reached = false;
  #interactive = false;
  #interactiveUntil = -Infinity;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** No more data should be sent until an answer comes. */
  get full(): boolean {
    return this.#bytes >= this.limitBytes;
  }

  /** The answer to a probe is still to come. */
  get probing(): boolean {
    return this.#bytes > this.#unprobed;
  }

  /** A tunnel on the link is interactive. */
  get interactive(): boolean {
    return this.#interactive;
  }

  /** Bytes that may be in flight now. */
  get limitBytes(): number {
    const factor = !this.#interactive && this.#flatPeriods < startPeriods ? startFactor : bdpFactor;
    const bytes = Math.min(maxBytes, factor * this.#bdpBytes);
    return this.#interactive ? Math.max(minBytes, Math.min(bytes, this.#queueBytes)) : Math.max(minBulkBytes, bytes);
  }

  /** Bytes of data were written. @returns true when a probe is due */
  sent(bytes: number): boolean {
    if (this.#bytes === 0) this.#beginPeriod(this.#now());
    this.#bytes += bytes;
    this.#unprobed += bytes;
    if (this.full) this.#reached = true;
    return this.#unprobed >= (this.#interactive ? probeEveryBytes : bulkProbeEveryBytes);
  }

  /** A tunnel is interactive, for so many milliseconds from now on. */
  favourInteractive(forMs: number): void {
    this.#interactive = true;
    this.#interactiveUntil = Math.max(this.#interactiveUntil, this.#now() + forMs);
  }

  /** A probe is written now. @returns the bytes of data between the probe before and this one */
  probe(): number {
    const bytes = this.#unprobed;
    this.#unprobed = 0;
    if (this.#interactive && this.#now() > this.#interactiveUntil) this.#interactive = false;
    return bytes;
  }

  /**
   * The peer answered a probe.
   * @param bytes what {@link probe} returned
   * @param roundTripMs the shortest round trip that was ever seen on the link
   * @param tookMs the time that this answer took
   */
  answered(bytes: number, roundTripMs: number, tookMs: number): void {
    this.#bytes -= bytes;
    this.#delivered += bytes;
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    const now = this.#now();
    const periodMs = now - this.#periodBegan;
    if (periodMs < Math.max(minPeriodMs, roundTripMs)) return;
    // A link that had little to send says nothing about what it could deliver.
    if (this.#reached) {
      const bdpBytes = roundTripMs * this.#delivered / periodMs;
      if (bdpBytes < startRise * this.#bdpBytes) this.#flatPeriods++;
      this.#bdpBytes = Math.max(bdpBytes, decay * this.#bdpBytes);
    }
    this.#boundQueue(roundTripMs);
    this.#beginPeriod(now);
  }

  /** Adapts what may be in flight while a tunnel is interactive to what waits on the way. */
  #boundQueue(roundTripMs: number): void {
    // A near peer answers as its event loop allows, whatever waits.
    if (roundTripMs < queueMs || this.#flatPeriods < startPeriods) {
      this.#queueBytes = Infinity;
      return;
    }
    const aimMs = roundTripMs + queueMs;
    if (!this.#interactive || this.#queueBytes === Infinity) {
      this.#queueBytes = this.#bdpBytes * aimMs / roundTripMs;
      return;
    }
    const rise = aimMs / this.#quickestMs;
    // What did not fill the link tells nothing of what it could deliver.
    if (rise > 1 && !this.#reached) return;
    this.#queueBytes *= 1 + queueStep * (rise - 1);
    this.#queueBytes = Math.max(minBytes, Math.min(this.#queueBytes, bdpFactor * this.#bdpBytes));
  }

  #beginPeriod(now: number): void {
    this.#periodBegan = now;
    this.#delivered = 0;
    this.#reached = false;
    this.#quickestMs = Infinity;
  }
}
