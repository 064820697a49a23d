/** How the time between attempts grows. */
export interface RetryBackoffOptions {
  /** Milliseconds after the first failure; doubles with each. */
  readonly baseMs: number;
  readonly capMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Times between attempts that fail: each twice the one before, up to a cap, and up to half as long again by chance. */
export class RetryBackoff {
  readonly #options: RetryBackoffOptions;
  #failures = 0;

  constructor(options: RetryBackoffOptions) {
    this.#options = options;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Milliseconds to wait after a failure. */
  failed(): number {
    const { baseMs, capMs, random } = this.#options;
    const ms = Math.min(baseMs * 2 ** this.#failures, capMs);
    this.#failures++;
    return ms * (1 + random() / 2);
  }
}
