import { flowLimits } from "./flow_limits.ts";

/** What all receive windows of a process may grow by together. */
export class GrowthBudget {
  #left: number;

  constructor(bytes: number = flowLimits.growthBudgetBytes) {
    this.#left = bytes;
  }

  /** Takes `bytes`; false when there are not as many left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  release(bytes: number): void {
    this.#left += bytes;
  }

  get left(): number {
    return this.#left;
  }
}

/**
 * A window that passes faster than this, in milliseconds, holds its peer back however near that is: the ends of a link wait
 * for processor time, and for each other, longer than its round trip takes.
 */
const turnMs = 3;

/** Tells a window how fast its link is, so that it grows where distance holds it back and nowhere else. */
export interface LinkPace {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** The shortest time in which the peer has answered a ping, in milliseconds; 0 while unknown. */
  roundTripMs(): number;
}

/**
 * What a peer may send on a tunnel: credit goes back when the bytes have left this side, not when they arrived, and in
 * portions, so that a packet of credit answers many packets of data. The window grows while a whole window passes in about
 * a round trip or in less than {@link turnMs}, since then it is the wait for credit that slows the peer down; where passing
 * it takes longer, something else is slower, and a larger window would only make others wait behind it.
 *
 * Invariant: bytes held here + credit not returned yet + credit that the peer has = the window.
 */
export class ReceiveWindow {
  readonly #budget: GrowthBudget;
  readonly #pace: LinkPace;
  /** When credit was returned last. */
  #returnedAt: number;
  #window: number = flowLimits.initialWindowBytes;
  /** Credit that the peer has. */
  #credit: number = flowLimits.initialWindowBytes;
  /** Bytes that left this side and whose credit has not been returned. */
  #owed = 0;
  #closed = false;

  constructor(budget: GrowthBudget, pace: LinkPace) {
    this.#budget = budget;
    this.#pace = pace;
    this.#returnedAt = pace.now();
  }

  /** The most that can be under way or held here. */
  get windowBytes(): number {
    return this.#window;
  }

  /** Bytes arrived. Returns false when the peer sent more than it may. */
  arrived(bytes: number): boolean {
    if (bytes > this.#credit) return false;
    this.#credit -= bytes;
    return true;
  }

  /** Bytes left this side. Returns the credit to send to the peer now; 0 when it is not worth a packet yet. */
  left(bytes: number): number {
    if (this.#closed) return 0;
    this.#owed += bytes;
    if (this.#owed < this.#window >> 1) return 0;
    let credit = this.#owed;
    this.#owed = 0;
    const now = this.#pace.now();
    // Half a window or more has passed since the last return.
    const windowMs = (now - this.#returnedAt) * this.#window / credit;
    this.#returnedAt = now;
    if (windowMs < Math.max(turnMs, 2 * this.#pace.roundTripMs())) credit += this.#grow();
    this.#credit += credit;
    return credit;
  }

  /** The tunnel is gone: bytes that still leave return no credit. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#budget.release(this.#window - flowLimits.initialWindowBytes);
    this.#window = flowLimits.initialWindowBytes;
  }

  #grow(): number {
    const more = Math.min(this.#window, flowLimits.maxWindowBytes - this.#window);
    if (more <= 0 || !this.#budget.take(more)) return 0;
    this.#window += more;
    return more;
  }
}
