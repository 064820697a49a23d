import { fault, type Owner } from "../../../src/faults/fault.ts";
import type { Clock, Deadline } from "../../../src/runtime/clock.ts";

/** A deadline of the runtime takes a millisecond at least, so that one which sets itself again lets time go on. */
const shortestMs = 1;

const nothing = () => {};

/** How many deadlines wait. */
interface Waiting {
  count: number;
}

class VirtualDeadline implements Deadline {
  readonly at: number;
  /** Deadlines of one time fire in the order in which they began. */
  readonly number: number;
  #onFire: () => void;
  readonly owner: Owner;
  readonly #waiting: Waiting;
  /** It has fired, or was cancelled. */
  over = false;

  constructor(at: number, number: number, onFire: () => void, owner: Owner, waiting: Waiting) {
    this.at = at;
    this.number = number;
    this.#onFire = onFire;
    this.owner = owner;
    this.#waiting = waiting;
    waiting.count++;
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.#waiting.count--;
    // It stays in the heap until it comes up, and would keep a whole connection in memory.
    this.#onFire = nothing;
  }

  fire(): void {
    const onFire = this.#onFire;
    this.cancel();
    onFire();
  }
}

/**
 * A clock that stands still until a test turns it. Whatever is composed with it lives in its time and in no other, so that
 * minutes pass in milliseconds (`tests/model/virtual_time_test.ts`), and a fleet of servers and agents can be simulated on one.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #begun = 0;
  #timeOfDayAheadMs: number;
  readonly #waiting: Waiting = { count: 0 };
  readonly #shortestMs: number;
  /** A heap by time; those that were cancelled stay in it until they come up. */
  readonly #heap: VirtualDeadline[] = [];

  /**
   * @param timeOfDayMs what time of day it is at the start, in milliseconds since the epoch
   * @param leastMs what a deadline takes at least, in milliseconds
   */
  constructor(timeOfDayMs = 0, leastMs: number = shortestMs) {
    this.#timeOfDayAheadMs = timeOfDayMs;
    this.#shortestMs = leastMs;
  }

  readonly now = (): number => this.#now;

  readonly timeOfDay = (): number => this.#now + this.#timeOfDayAheadMs;

  readonly after = (ms: number, onFire: () => void, owner: Owner): Deadline => {
    // The runtime's timers take such a time for one millisecond.
    if (!Number.isFinite(ms)) throw new Error(`a deadline after ${ms} ms`);
    const deadline = new VirtualDeadline(
      this.#now + Math.max(this.#shortestMs, ms),
      this.#begun++,
      onFire,
      owner,
      this.#waiting,
    );
    this.#push(deadline);
    return deadline;
  };

  /** Deadlines that neither fired nor were cancelled. */
  get pending(): number {
    return this.#waiting.count;
  }

  /** Deadlines so far. */
  get begun(): number {
    return this.#begun;
  }

  /** Somebody sets the time of day; lengths of time do not change. */
  setTimeOfDay(ms: number): void {
    this.#timeOfDayAheadMs = ms - this.#now;
  }

  /** When the next deadline is due; Infinity where none waits. */
  get nextAt(): number {
    return this.#next()?.at ?? Infinity;
  }

  /** Fires the next deadline, and no other, unless it is due later. @returns false where it is */
  step(until = Infinity): boolean {
    const next = this.#next();
    if (next === undefined || next.at > until) return false;
    this.#fire(next);
    return true;
  }

  /** Turns it on, calling back what is due on the way, each at its own time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) this.#fire(next);
    this.#now = until;
  }

  /** The same, where what was called back settles before time goes on: promises, unless a test says what else. */
  async run(ms: number, settle: () => Promise<void> = turns): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) {
      // What is due at one time comes before anything that follows from it.
      this.advance(next.at - this.#now);
      await settle();
    }
    this.#now = until;
  }

  #next(): VirtualDeadline | undefined {
    const heap = this.#heap;
    for (let next = heap[0]; next !== undefined; next = heap[0]) {
      if (!next.over) return next;
      this.#pop();
    }
    return undefined;
  }

  #fire(deadline: VirtualDeadline): void {
    this.#now = deadline.at;
    try {
      deadline.fire();
    } catch (error) {
      fault(deadline.owner, error);
    }
  }

  #push(deadline: VirtualDeadline): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let above = (at - 1) >> 1; at > 0; above = (at - 1) >> 1) {
      const parent = heap[above];
      // It began last, so that it follows those of its time.
      if (parent === undefined || parent.at <= deadline.at) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = deadline;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const goesRight = right !== undefined && isBefore(right, left);
      const child = goesRight ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (goesRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: VirtualDeadline, b: VirtualDeadline): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}

/** A few turns of the event loop: promises that wait for nothing but each other settle. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
