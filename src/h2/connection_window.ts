import { defaultWindow, maxWindow } from "./frames/frame.ts";
import { h2Limits } from "./limits.ts";

/**
 * The connection's receive window. Credit returns as DATA arrives, not as it is consumed, so that paused streams take
 * nothing from their neighbours, until too much is buffered for them.
 */
export class ConnectionWindow {
  #bytes: number;
  #remaining: number = defaultWindow;
  #unreturned: number;
  #pausedBytes = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#unreturned = bytes - defaultWindow;
  }

  /** A DATA frame of so many bytes begins; false when it exceeds the window. */
  take(length: number): boolean {
    if (length > this.#remaining) return false;
    this.#remaining -= length;
    this.#unreturned += length;
    return true;
  }

  /** Bytes that are buffered for paused streams were added or removed. */
  pausedBytesChanged(by: number): void {
    this.#pausedBytes += by;
  }

  /** Makes the window larger, or smaller: streams that have room in their own must not wait for this one. */
  widen(by: number): void {
    this.#unreturned += by;
    this.#bytes += by;
  }

  /** Credit to return to the peer now; counts as returned. */
  takeCredit(): number {
    const credit = Math.min(this.#unreturned, maxWindow - this.#remaining);
    if (credit * 2 < this.#bytes || this.#pausedBytes > h2Limits.maxPausedBytes) return 0;
    this.#remaining += credit;
    this.#unreturned -= credit;
    return credit;
  }
}
