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
 * What a peer may send on a tunnel: credit goes back when the bytes have left this side, not when they arrived, and in
 * portions, so that a packet of credit answers many packets of data. The window grows while its peer keeps using it up
 * and this side keeps emptying it.
 *
 * Invariant: bytes held here + credit not returned yet + credit that the peer has = the window.
 */
export class ReceiveWindow {
  readonly #budget: GrowthBudget;
  #window: number = flowLimits.initialWindowBytes;
  /** Credit that the peer has. */
  #credit: number = flowLimits.initialWindowBytes;
  /** Bytes that left this side and whose credit has not been returned. */
  #owed = 0;
  /** The peer ran (nearly) out of credit since the last return. */
  #usedUp = false;

  constructor(budget: GrowthBudget) {
    this.#budget = budget;
  }

  /** The most that can be under way or held here. */
  get windowBytes(): number {
    return this.#window;
  }

  /** Bytes arrived. Returns false when the peer sent more than it may. */
  arrived(bytes: number): boolean {
    if (bytes > this.#credit) return false;
    this.#credit -= bytes;
    if (this.#credit < this.#window >> 2) this.#usedUp = true;
    return true;
  }

  /** Bytes left this side. Returns the credit to send to the peer now; 0 when it is not worth a packet yet. */
  left(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#window >> 1) return 0;
    let credit = this.#owed;
    this.#owed = 0;
    // Everything that arrived has left again: this side is faster than its peer's window.
    if (this.#usedUp && this.#credit + credit === this.#window) credit += this.#grow();
    this.#usedUp = false;
    this.#credit += credit;
    return credit;
  }

  /** The tunnel is gone. */
  close(): void {
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
