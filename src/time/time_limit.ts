/** The runtime's timers take a longer time for none at all. */
const longestTimerMs = 2 ** 31 - 1;

/** The limits of one length that wait, by that length in milliseconds. */
const spans = new Map<number, Span>();

/** Something that must happen within a time; most of them do, and the limit is lifted. */
export class TimeLimit {
  readonly #span: Span;
  /** When it is reached, on the monotonic clock. */
  readonly dueAt: number;
  readonly onDue: () => void;

  /** Used by {@link timeLimit}. */
  constructor(span: Span, dueAt: number, onDue: () => void) {
    this.#span = span;
    this.dueAt = dueAt;
    this.onDue = onDue;
  }

  /** It will not be reached any more. Idempotent, and without effect once it was reached. */
  lift(): void {
    this.#span.lift(this);
  }
}

/**
 * Calls back once after `ms` milliseconds, as setTimeout does, unless the limit is lifted before. Limits of one length
 * share a timer of the runtime, and a lifted one is forgotten at once: a timer of its own for each tunnel's limits costs a
 * twentieth of a dial.
 */
export function timeLimit(ms: number, onDue: () => void): TimeLimit {
  let span = spans.get(ms);
  if (span === undefined) {
    span = new Span(ms);
    spans.set(ms, span);
  }
  return span.begin(onDue);
}

/** How many limits wait now, of all lengths. */
export function waitingLimits(): number {
  let waiting = 0;
  for (const span of spans.values()) waiting += span.size;
  return waiting;
}

/** Forgets all limits, for tests that put other timers in place of the runtime's: none that waits now will be reached. */
export function forgetLimits(): void {
  for (const span of spans.values()) span.forget();
  spans.clear();
}

/** All limits of one length: they are reached in the order in which they began. */
class Span {
  readonly #ms: number;
  readonly #limits = new Set<TimeLimit>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get size(): number {
    return this.#limits.size;
  }

  begin(onDue: () => void): TimeLimit {
    const limit = new TimeLimit(this, performance.now() + this.#ms, onDue);
    this.#limits.add(limit);
    if (this.#timer === undefined) this.#wait(this.#ms);
    else if (this.#limits.size === 1) this.#timer.ref();
    return limit;
  }

  lift(limit: TimeLimit): void {
    // The timer stays for the next limit, but keeps no process alive for nothing.
    if (this.#limits.delete(limit) && this.#limits.size === 0) this.#timer?.unref();
  }

  forget(): void {
    this.#limits.clear();
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    const now = performance.now();
    try {
      for (const limit of this.#limits) {
        if (limit.dueAt > now) break;
        this.#limits.delete(limit);
        limit.onDue();
      }
    } finally {
      this.#goOn();
    }
  };

  #wait(ms: number): void {
    this.#timer = setTimeout(this.#look, Math.min(Math.max(1, ms), longestTimerMs));
  }

  /** The timer has fired: waits for the limit that is due next, if there is one. */
  #goOn(): void {
    const [next] = this.#limits;
    if (next !== undefined) {
      this.#wait(next.dueAt - performance.now());
    } else {
      this.#timer = undefined;
      spans.delete(this.#ms);
    }
  }
}
