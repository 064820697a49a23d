/** Characters that are sent to another thread and not read by it yet, at most; what comes on top is dropped and counted. */
export const relayLimitChars = 1024 * 1024;

/** The reader acknowledges in portions of this part of the limit, so that few messages go back. */
const portion = 1 / 8;

/**
 * Bounds what one thread sends to another: a message takes memory until it is read, and a thread that is busy reads none.
 * The reader acknowledges what it has read ({@link RelayReceipts}).
 */
export class RelayBound {
  readonly #limitChars: number;
  #unreadChars = 0;
  #dropped = 0;
  #droppedSince = 0;

  constructor(limitChars: number = relayLimitChars) {
    this.#limitChars = limitChars;
  }

  /** Messages that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @returns whether a message of so many characters may be sent; one that may not is counted as dropped */
  admit(chars: number): boolean {
    if (this.#unreadChars + chars > this.#limitChars) {
      this.#dropped++;
      this.#droppedSince++;
      return false;
    }
    this.#unreadChars += chars;
    return true;
  }

  /**
   * The reader has acknowledged so many characters.
   * @returns how many messages were dropped since the last acknowledgement
   */
  acknowledged(chars: number): number {
    this.#unreadChars -= chars;
    const dropped = this.#droppedSince;
    this.#droppedSince = 0;
    return dropped;
  }
}

/** The reader's side of a {@link RelayBound}. */
export class RelayReceipts {
  readonly #acknowledge: (chars: number) => void;
  readonly #portionChars: number;
  #chars = 0;

  constructor(acknowledge: (chars: number) => void, limitChars: number = relayLimitChars) {
    this.#acknowledge = acknowledge;
    this.#portionChars = limitChars * portion;
  }

  /** A message of so many characters was read. */
  read(chars: number): void {
    this.#chars += chars;
    if (this.#chars < this.#portionChars) return;
    const read = this.#chars;
    this.#chars = 0;
    this.#acknowledge(read);
  }
}
