import type { Clock } from "../../src/agent/clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  limit(ms: number, onDue: () => void): () => void {
    return this.after(ms, onDue);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves on, calling back what is due on the way, each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }

  /** Moves on in small steps, with turns of the event loop between them for promises to settle. */
  async run(ms: number, stepMs = 10): Promise<void> {
    for (let gone = 0; gone < ms; gone += stepMs) {
      this.advance(Math.min(stepMs, ms - gone));
      await turns();
    }
  }
}

/** A few turns of the event loop: promises that wait for nothing but each other settle. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
