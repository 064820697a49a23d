import type { GrowthBudget, GrowthShare } from "./growth_budget.ts";

/**
 * A window that passes faster than this, in milliseconds, holds its peer back however near that is: the ends of a link wait
 * for processor time, and for each other, longer than its round trip takes.
 */
const turnMs = 3;

/** A window that takes so many round trips, or more, to pass is slow: its bytes wait here, not the peer for credit. */
const slowRounds = 8;

/** Credit goes back for half of a small window, and for an eighth of a large one: the peer must not run dry meanwhile. */
const smallReturnBytes = 512 * 1024;

const notYet = -1;

/** Shows a window how fast its link is, so that it grows where distance holds it back and nowhere else. */
export interface LinkPace {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** The shortest time in which the peer has answered a ping, in milliseconds; 0 while unknown. */
  roundTripMs(): number;
}

/**
 * What a peer may send on one stream: credit goes back when the bytes have been consumed, not when they were received, and in
 * portions, so that a packet of credit answers many packets of data.
 *
 * The window is looked at in rounds: all that the peer could send at the beginning of one has been consumed at its end. A
 * round that ends within two round trips of the link, or within {@link turnMs}, was too short: it is the wait for credit that
 * slows the peer down, and the window grows towards twice what the link carries in a round trip, as far as the budget of all
 * windows allows. It doubles; while the peer stood still for half of a round trip or more, it quadruples. Where a round takes
 * longer, something else is slower, and a larger window would only make others wait behind it. It shrinks, never below what it
 * began with, by credit that is not returned: while other windows want their part of the budget, and where most of it is
 * filled by bytes that are consumed slowly.
 *
 * Invariant: bytes held here + credit not returned yet + credit that the peer has = the window.
 */
export class ReceiveWindow {
  readonly #budget: GrowthBudget;
  readonly #pace: LinkPace;
  readonly #initial: number;
  /** What the window has grown by; absent until it is to grow. */
  #share: GrowthShare | undefined;
  /** Credit that the peer has. */
  #credit: number;
  /** Bytes that were consumed and whose credit has not been returned. */
  #owed = 0;
  /** Bytes that are held for the reader, counted once the peer sends no more; undefined before. */
  #lastHeld: number | undefined;
  /** When this round began, and when its first bytes came; before that it is {@link notYet}. */
  #roundBegan = notYet;
  #roundCame = notYet;
  /** Bytes that are still to be consumed in this round. */
  #roundRemaining: number;

  /** @param initialBytes what the peer may send from the start */
  constructor(initialBytes: number, budget: GrowthBudget, pace: LinkPace) {
    this.#initial = initialBytes;
    this.#credit = initialBytes;
    this.#roundRemaining = initialBytes;
    this.#budget = budget;
    this.#pace = pace;
  }

  /** The most that can be in flight or held here. */
  get windowBytes(): number {
    return this.#initial + this.grownBytes;
  }

  /** What it has grown by, which counts in the budget. */
  get grownBytes(): number {
    return this.#share?.bytes ?? 0;
  }

  /** What the peer may still send. */
  get creditBytes(): number {
    return this.#credit;
  }

  /** Bytes were received. Returns false when the peer sent more than its credit. */
  received(bytes: number): boolean {
    if (bytes > this.#credit) return false;
    this.#credit -= bytes;
    if (this.#roundCame === notYet) {
      this.#roundCame = this.#pace.now();
      if (this.#roundBegan === notYet) this.#roundBegan = this.#roundCame;
    }
    return true;
  }

  /** Bytes were consumed: the other side took them. Returns the credit to send now; 0: not worth a packet yet. */
  consumed(bytes: number): number {
    if (this.#lastHeld !== undefined) return this.#keep(this.#lastHeld - bytes);
    this.#owed += bytes;
    this.#roundRemaining -= bytes;
    const window = this.windowBytes;
    const portion = Math.min(window >> 1, Math.max(smallReturnBytes, window >> 3));
    // At the end of a round the peer may have nothing that it can send, and gets all that is owed.
    if (this.#owed < portion && this.#roundRemaining > 0) return 0;
    let credit = this.#owed;
    this.#owed = 0;
    const now = this.#pace.now();
    credit -= this.#shrink(credit, now);
    if (this.#roundRemaining <= 0) {
      credit += this.#grow(now);
      this.#roundBegan = now;
      this.#roundCame = notYet;
      this.#roundRemaining = this.windowBytes;
    }
    this.#credit += credit;
    return credit;
  }

  /** The peer gives credit back that it does not need. Returns false when it cannot have so much. */
  returned(bytes: number): boolean {
    if (this.#lastHeld !== undefined) return true;
    const share = this.#share;
    if (share === undefined || !(bytes > 0) || bytes > this.#credit || bytes > share.bytes) return false;
    this.#credit -= bytes;
    this.#budget.release(share, bytes);
    // It needs what is owed even less.
    const owed = Math.min(this.#owed, share.bytes);
    this.#owed -= owed;
    this.#budget.release(share, owed);
    this.#roundRemaining = Math.min(this.#roundRemaining, this.windowBytes);
    return true;
  }

  /** The peer sends no more: what was grown for bytes that are still held stays in the budget until they are consumed. */
  peerEnded(): void {
    if (this.#lastHeld === undefined) this.#keep(this.windowBytes - this.#credit - this.#owed);
  }

  /** The stream is gone: bytes that are consumed later return no credit. */
  close(): void {
    this.#keep(0);
  }

  /** So many bytes are held, and nothing follows them: the rest of the growth goes back. @returns no credit */
  #keep(held: number): number {
    this.#lastHeld = held;
    const share = this.#share;
    if (share === undefined) return 0;
    this.#budget.content(share);
    this.#budget.release(share, Math.max(0, share.bytes - Math.max(0, held - this.#initial)));
    return 0;
  }

  /** A round is over. @returns what the window grows by */
  #grow(now: number): number {
    const roundMs = now - this.#roundBegan;
    const roundTripMs = this.#pace.roundTripMs();
    if (roundMs >= Math.max(turnMs, 2 * roundTripMs)) {
      if (this.#share !== undefined) this.#budget.content(this.#share);
      return 0;
    }
    const window = this.windowBytes;
    let wanted = window;
    if (roundTripMs > turnMs) {
      const stoodMs = this.#roundCame - this.#roundBegan;
      if (Math.max(stoodMs, roundTripMs - roundMs) * 2 >= roundTripMs) wanted = 3 * window;
      // What passed in the round is what the link carries: twice that for a round trip.
      else wanted = Math.min(wanted, Math.ceil(2 * window * roundTripMs / roundMs) - window);
    }
    this.#share ??= this.#budget.join();
    return this.#budget.take(this.#share, wanted, now);
  }

  /** @returns what of the credit is not to be returned */
  #shrink(credit: number, now: number): number {
    const share = this.#share;
    if (share === undefined || share.bytes === 0) return 0;
    let surplus = this.#budget.surplus(share, now);
    if (surplus === 0 && this.#slow(now)) surplus = share.bytes;
    // The peer goes on meanwhile, with half of what it would have had.
    const bytes = Math.min(surplus, credit >> 1);
    if (bytes > 0) this.#budget.release(share, bytes);
    return bytes;
  }

  /** Most of the window was filled by bytes that were held here, and for long. */
  #slow(now: number): boolean {
    return this.#credit < this.windowBytes >> 1 &&
      now - this.#roundBegan > slowRounds * Math.max(turnMs, this.#pace.roundTripMs());
  }
}
