/** A source that can be told to stop and go on. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/**
 * Keeps a shared source paused for as long as at least one of its consumers cannot take more. A consumer that is
 * removed, for whatever reason, no longer counts.
 */
export class ReadGate<Consumer> {
  readonly #source: Pausable;
  readonly #full = new Set<Consumer>();

  constructor(source: Pausable) {
    this.#source = source;
  }

  /** The consumer is full: the source pauses. */
  close(consumer: Consumer): void {
    if (this.#full.has(consumer)) return;
    this.#full.add(consumer);
    if (this.#full.size === 1) this.#source.pause();
  }

  /** The consumer takes more, or is gone: the source resumes when nobody else is full. */
  open(consumer: Consumer): void {
    if (this.#full.delete(consumer) && this.#full.size === 0) this.#source.resume();
  }

  /** Consumers that hold the source back now. */
  get fullCount(): number {
    return this.#full.size;
  }
}
