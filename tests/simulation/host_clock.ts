import type { Owner } from "../../src/faults/fault.ts";
import type { Clock, Deadline } from "../../src/runtime/clock.ts";
import type { VirtualClock } from "../support/fakes/virtual_clock.ts";
import type { Random } from "./random.ts";

/** The runtime has no shorter deadline. */
const shortestMs = 1;
/** By how much a deadline of the runtime may be late: by this part of its length, and by so many milliseconds at most. */
const latePart = 0.01;
const mostLateMs = 50;

/** What one host's clocks do differently from the world's. */
export interface ClockSkew {
  /** How fast it runs; 1: as the world does. */
  readonly rate: number;
  /** What its time of day is ahead by, in milliseconds. */
  readonly aheadMs: number;
}

/** One that never fires. */
const over: Deadline = { cancel: () => {} };

/** A deadline of one process, which is among that process's until it has fired or was cancelled. */
class HostDeadline implements Deadline {
  readonly #pending: Set<Deadline>;
  readonly #onFire: () => void;
  #deadline: Deadline = over;

  constructor(pending: Set<Deadline>, onFire: () => void) {
    this.#pending = pending;
    this.#onFire = onFire;
  }

  begin(world: Clock, inMs: number, owner: Owner): void {
    this.#pending.add(this);
    this.#deadline = world.after(inMs, () => {
      this.#pending.delete(this);
      this.#onFire();
    }, owner);
  }

  cancel(): void {
    this.#deadline.cancel();
    this.#pending.delete(this);
  }
}

/** One process's clock on the one virtual time: it may run fast or slow, be set, be late with deadlines, and end with its process. */
export class HostClock implements Clock {
  readonly #world: VirtualClock;
  readonly #rate: number;
  readonly #random: Random;
  readonly #pending = new Set<Deadline>();
  #aheadMs: number;
  #stopped = false;

  constructor(world: VirtualClock, { rate, aheadMs }: ClockSkew, random: Random) {
    this.#world = world;
    this.#rate = rate;
    this.#aheadMs = aheadMs;
    this.#random = random;
  }

  readonly now = (): number => this.#world.now() * this.#rate;

  readonly timeOfDay = (): number => Math.floor(this.#world.timeOfDay() + this.#aheadMs);

  readonly after = (ms: number, onFire: () => void, owner: Owner): Deadline => {
    const lateMs = Math.min(ms * latePart, mostLateMs) * this.#random.next();
    const inMs = (Math.max(shortestMs, ms) + lateMs) / this.#rate;
    if (this.#stopped) return over;
    const deadline = new HostDeadline(this.#pending, onFire);
    deadline.begin(this.#world, inMs, owner);
    return deadline;
  };

  /** Deadlines that neither fired nor were cancelled. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Somebody sets the time of day. */
  setAhead(ms: number): void {
    this.#aheadMs = ms;
  }

  /** The process is gone, and its deadlines with it. */
  stop(): void {
    this.#stopped = true;
    for (const deadline of [...this.#pending]) deadline.cancel();
  }
}
