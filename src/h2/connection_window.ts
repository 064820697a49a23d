import { defaultWindow } from "./frame.ts";
import { h2Limits } from "./limits.ts";

/**
 * What the peer may still send on the whole connection. It is given back as DATA arrives, not as it is consumed, so that
 * streams which are not read take nothing from their neighbours: until too much is held for them.
 */
export class ConnectionWindow {
  readonly #bytes: number;
  #left: number = defaultWindow;
  #unreturned: number;
  #heldBytes = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#unreturned = bytes - defaultWindow;
  }

  /** A DATA frame of so many bytes begins; false when the peer was not allowed to send it. */
  take(length: number): boolean {
    if (length > this.#left) return false;
    this.#left -= length;
    this.#unreturned += length;
    return true;
  }

  /** The bytes that are held for streams that are not read became more or fewer. */
  heldChanged(by: number): void {
    this.#heldBytes += by;
  }

  /** What is to be given back to the peer now; counts as given back. */
  takeCredit(): number {
    const credit = this.#unreturned;
    if (credit * 2 < this.#bytes || this.#heldBytes > h2Limits.maxHeldBytes) return 0;
    this.#left += credit;
    this.#unreturned = 0;
    return credit;
  }
}
