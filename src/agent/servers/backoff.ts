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
/** The first time between attempts in a hurry, in milliseconds, and how it grows. */
const hurriedMs = 100;
const hurriedFactor = 1.1;

/**
 * The original's times between attempts: factor 1.5 from the interval up to the cap, each up to a tenth longer. In a hurry
 * they are shorter than the interval, and grow slowly until they are as long: about a dozen attempts in two seconds.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  /** The next time in a hurry; Infinity when there is none. */
  #hurriedMs = Infinity;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether times are shorter than the interval. */
  get hurried(): boolean {
    return this.#hurriedMs < this.#options.intervalMs;
  }

  /** A server is known to have appeared: begins with short times. */
  hurry(): void {
    this.#failures = 0;
    this.#hurriedMs = hurriedMs;
  }

  /** Ends the hurry: no server is missing. */
  reset(): void {
    this.#hurriedMs = Infinity;
  }

  /** Milliseconds to wait after a success. */
  succeeded(): number {
    this.#failures = 0;
    return this.#hurriedTime() ?? this.#jittered(this.#options.intervalMs);
  }

  /** Milliseconds to wait after a failure. */
  failed(): number {
    const hurried = this.#hurriedTime();
    if (hurried !== undefined) return hurried;
    const { intervalMs, capMs } = this.#options;
    const base = Math.min(intervalMs * factor ** this.#failures, capMs);
    this.#failures++;
    return this.#jittered(base);
  }

  #hurriedTime(): number | undefined {
    if (!this.hurried) return undefined;
    const ms = this.#hurriedMs;
    this.#hurriedMs *= hurriedFactor;
    return this.#jittered(ms);
  }

  #jittered(ms: number): number {
    return ms * (1 + jitter * this.#options.random());
  }
}
