import { h2Limits } from "./limits.ts";

/**
 * How much work for nothing a peer may still ask for. Each frame that costs work and brings nothing takes from it; time
 * gives back, and so does each DATA frame that this side sends: clients answer those with PING and WINDOW_UPDATE as fast
 * as they come, and end the streams that they were served on.
 */
export class CalmBudget {
  readonly #now: () => number;
  #left: number = h2Limits.idleFrameBurst;
  #since: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Takes `cost`; false when the peer has gone too far. */
  take(cost: number): boolean {
    this.#left -= cost;
    if (this.#left >= 0) return true;
    // The clock is read only here: most connections never come this far.
    const now = this.#now();
    const earned = (now - this.#since) * h2Limits.idleFramesPerSecond / 1000;
    this.#since = now;
    this.#left = Math.min(this.#left + earned, h2Limits.idleFrameBurst);
    return this.#left >= 0;
  }

  /** A DATA frame was sent. */
  earn(): void {
    this.#left = Math.min(this.#left + h2Limits.idleFramesPerDataSent, h2Limits.idleFrameBurst);
  }
}
