import { h2Limits } from "./limits.ts";

/**
 * Flood protection: a token bucket. Each frame that costs work and carries no data takes tokens. Time returns them, and so
 * does each DATA frame that this side sends, because clients answer those with PING and WINDOW_UPDATE.
 */
export class FloodBudget {
  readonly #now: () => number;
  #remaining: number = h2Limits.idleFrameBurst;
  #since: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Takes `cost`; false when the peer has exceeded its budget. */
  take(cost: number): boolean {
    this.#remaining -= cost;
    if (this.#remaining >= 0) return true;
    // The clock is read only here: most connections never use up the burst.
    const now = this.#now();
    const earned = (now - this.#since) * h2Limits.idleFramesPerSecond / 1000;
    this.#since = now;
    this.#remaining = Math.min(this.#remaining + earned, h2Limits.idleFrameBurst);
    return this.#remaining >= 0;
  }

  /** Returns `cost`: the peer's request was legitimate. */
  earn(cost: number): void {
    this.#remaining = Math.min(this.#remaining + cost, h2Limits.idleFrameBurst);
  }
}
