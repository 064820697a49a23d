import { fault, type Owner } from "../faults/fault.ts";
import type { Clock, Deadline } from "./clock.ts";

/** The runtime's timers take a longer time for none at all. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Lengths of which no deadline is pending and whose timer still runs, at most. Deadlines of one length come again and again,
 * but there are lengths that come once, and whose timer would run for days.
 */
const maxIdleLengths = 64;

/** By how much a deadline may be late behind one of the same length: by this part of it, and so many milliseconds at most. */
const latePart = 0.01;
const maxLateMs = 50;

/**
 * What deadlines that fire together may cost, in milliseconds, before whatever else there is to do has its turn. It also keeps
 * those that were held up together from firing together for ever after, as the keepalives of links whose loop once stood still.
 */
const sliceMs = 4;

/**
 * The runtime's time. Deadlines of one length share a timer of the runtime, and a cancelled one is forgotten at once: a timer
 * of its own for each tunnel's deadlines costs a twentieth of a dial. Those that are due within a hundredth of their length
 * fire together: the keepalives of ten thousand links would wake the process two thousand times a second else.
 */
export class SystemClock implements Clock {
  /** By length in milliseconds. */
  readonly #buckets = new Map<number, Bucket>();
  /** Those of which no deadline is pending, the one that has been so for longest first. */
  readonly #idle = new Set<Bucket>();

  readonly now = (): number => performance.now();

  readonly timeOfDay = (): number => Date.now();

  readonly after = (ms: number, onFire: () => void, owner: Owner): Deadline => {
    let bucket = this.#buckets.get(ms);
    if (bucket === undefined) {
      bucket = new Bucket(ms, this.#onIdle);
      this.#buckets.set(ms, bucket);
    } else if (bucket.size === 0) {
      this.#idle.delete(bucket);
    }
    return bucket.begin(onFire, owner);
  };

  /** How many deadlines are pending now, of all lengths. */
  get pending(): number {
    let waiting = 0;
    for (const bucket of this.#buckets.values()) waiting += bucket.size;
    return waiting;
  }

  /** Lengths that have a timer of the runtime now. */
  get lengths(): number {
    return this.#buckets.size;
  }

  readonly #onIdle = (bucket: Bucket, timed: boolean): void => {
    if (!timed) {
      this.#idle.delete(bucket);
      this.#buckets.delete(bucket.ms);
      return;
    }
    this.#idle.add(bucket);
    if (this.#idle.size <= maxIdleLengths) return;
    for (const oldest of this.#idle) return oldest.stop();
  };
}

/** The clock of this process. */
export const systemClock: SystemClock = new SystemClock();

class PendingDeadline implements Deadline {
  readonly #bucket: Bucket;
  /** When it fires, on the monotonic clock. */
  readonly at: number;
  readonly onFire: () => void;
  readonly owner: Owner;

  constructor(bucket: Bucket, at: number, onFire: () => void, owner: Owner) {
    this.#bucket = bucket;
    this.at = at;
    this.onFire = onFire;
    this.owner = owner;
  }

  cancel(): void {
    this.#bucket.cancel(this);
  }
}

/** All deadlines of one length: they fire in the order in which they began. */
class Bucket {
  readonly ms: number;
  readonly #onIdle: (bucket: Bucket, timed: boolean) => void;
  readonly #pending = new Set<PendingDeadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Its timer has fired, and what is due is called back. */
  #firing = false;

  /** @param onIdle nothing is pending any more; `timed`: its timer still runs */
  constructor(ms: number, onIdle: (bucket: Bucket, timed: boolean) => void) {
    this.ms = ms;
    this.#onIdle = onIdle;
  }

  get size(): number {
    return this.#pending.size;
  }

  begin(onFire: () => void, owner: Owner): Deadline {
    const deadline = new PendingDeadline(this, performance.now() + this.ms, onFire, owner);
    this.#pending.add(deadline);
    if (this.#timer === undefined) this.#wait(this.ms);
    else if (this.#pending.size === 1) this.#timer.ref();
    return deadline;
  }

  cancel(deadline: PendingDeadline): void {
    if (!this.#pending.delete(deadline) || this.#pending.size > 0 || this.#firing) return;
    // The timer stays for the next deadline, but keeps no process alive for nothing.
    this.#timer?.unref();
    this.#onIdle(this, true);
  }

  /** Nothing is pending: ends the timer. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#onIdle(this, false);
  }

  readonly #fire = (): void => {
    this.#firing = true;
    const now = performance.now();
    let fired = false;
    let cut = false;
    for (const deadline of this.#pending) {
      if (deadline.at > now) break;
      if (fired && performance.now() - now >= sliceMs) {
        cut = true;
        break;
      }
      this.#pending.delete(deadline);
      fired = true;
      try {
        deadline.onFire();
      } catch (error) {
        fault(deadline.owner, error);
      }
    }
    this.#firing = false;
    this.#waitForNext(fired && !cut ? Math.min(this.ms * latePart, maxLateMs) : 0);
  };

  #wait(ms: number): void {
    // Each deadline has its owner; nothing else here throws.
    this.#timer = setTimeout(this.#fire, Math.min(Math.max(1, ms), longestTimerMs));
  }

  /** The timer has fired: waits for the next deadline, if there is one, but for no less than `earliestMs`. */
  #waitForNext(earliestMs: number): void {
    const [next] = this.#pending;
    if (next !== undefined) this.#wait(Math.max(next.at - performance.now(), earliestMs));
    else this.stop();
  }
}
