/** For so long, in milliseconds, a window that was refused growth has others give theirs back; it asks again while it needs it. */
const wantsMs = 1000;

/** No window grows by more, in bytes: HTTP/2 counts one in 31 bits (RFC 9113, section 6.9.1). */
const mostOfOneBytes = 2 ** 30;

/** What one window has of a budget. It belongs to the budget that made it. */
export class GrowthShare {
  /** Bytes that the window has grown by. */
  bytes = 0;
  /** Until then the window counts as refused: it has less than its part and wants more. */
  wantsUntil = -Infinity;
}

/**
 * What all receive windows of a process may grow by together. One window alone may take half of it. Where it does not suffice
 * for all, each may have the same part, and whatever has more gives back while others want it. Nobody waits for it: what a
 * window begins with is not part of the budget.
 */
export class GrowthBudget {
  readonly #bytes: number;
  #remaining: number;
  /** Shares that have or want something. */
  readonly #shares = new Set<GrowthShare>();
  /** Those that were refused, the one that asked last at the end. */
  readonly #refused = new Set<GrowthShare>();

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#remaining = bytes;
  }

  /** Bytes that nobody has. */
  get remaining(): number {
    return this.#remaining;
  }

  /** A window begins to want growth. At its end it has to {@link release} all and be {@link content}. */
  join(): GrowthShare {
    return new GrowthShare();
  }

  /**
   * Takes up to `wanted` bytes for a window.
   * @param now milliseconds of a clock that never goes back, the same for all windows
   * @returns the bytes that were taken, which may be fewer, or none
   */
  take(share: GrowthShare, wanted: number, now: number): number {
    if (wanted <= 0) return 0;
    this.#shares.add(share);
    this.#forgetOld(now);
    const part = this.#part;
    // Where others wait for their part, nobody takes more than that.
    const others = this.#refused.size - (this.#refused.has(share) ? 1 : 0);
    const most = Math.min(mostOfOneBytes, others > 0 ? part : Math.floor(this.#bytes / 2));
    const bytes = Math.max(0, Math.min(wanted, this.#remaining, most - share.bytes));
    share.bytes += bytes;
    this.#remaining -= bytes;
    this.#refused.delete(share);
    if (bytes < wanted && share.bytes < part) {
      share.wantsUntil = now + wantsMs;
      this.#refused.add(share);
    } else if (share.bytes === 0) {
      this.#shares.delete(share);
    }
    return bytes;
  }

  /** Bytes that a window has beyond its part and should give back, since others want theirs. */
  surplus(share: GrowthShare, now: number): number {
    if (this.#refused.size === 0 || share.bytes === 0) return 0;
    this.#forgetOld(now);
    return this.#refused.size === 0 ? 0 : Math.max(0, share.bytes - this.#part);
  }

  /** A window gives bytes back that it has taken. */
  release(share: GrowthShare, bytes: number): void {
    share.bytes -= bytes;
    this.#remaining += bytes;
    if (share.bytes === 0 && !this.#refused.has(share)) this.#shares.delete(share);
  }

  /** A window wants nothing, for now or for ever; what it has taken it keeps. */
  content(share: GrowthShare): void {
    if (!this.#refused.delete(share)) return;
    if (share.bytes === 0) this.#shares.delete(share);
  }

  /** What each may have where not all can have what they want; never more than half. */
  get #part(): number {
    return Math.floor(this.#bytes / Math.max(2, this.#shares.size));
  }

  #forgetOld(now: number): void {
    for (const share of this.#refused) {
      if (share.wantsUntil > now) return;
      this.content(share);
    }
  }
}
