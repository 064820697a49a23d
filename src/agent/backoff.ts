/** How the time between attempts grows. */
export interface BackoffOptions {
  /** Milliseconds after a success, and after the first failure. */
  readonly intervalMs: number;
  /** Where the growth ends; jitter comes on top. */
  readonly capMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const factor = 1.5;
const jitter = 0.1;

/** The original's times between attempts: factor 1.5 from the interval up to the cap, each up to a tenth longer. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds to wait after a success. */
  succeeded(): number {
    this.#failures = 0;
    return this.#jittered(this.#options.intervalMs);
  }

  /** Milliseconds to wait after a failure. */
  failed(): number {
    const { intervalMs, capMs } = this.#options;
    const base = Math.min(intervalMs * factor ** this.#failures, capMs);
    this.#failures++;
    return this.#jittered(base);
  }

  #jittered(ms: number): number {
    return ms * (1 + jitter * this.#options.random());
  }
}
