/**
 * What a sender may still send on a tunnel before its peer returns credit. On a link without the `window` feature the
 * credit is without a bound: it begins with Infinity.
 */
export class SendWindow {
  #credit: number;

  /** @param initialBytes first credit; Infinity for a peer without windows */
  constructor(initialBytes: number) {
    this.#credit = initialBytes;
  }

  /** Bytes that may be sent now. */
  get credit(): number {
    return this.#credit;
  }

  /** Bytes were sent; the caller has checked that they fit. */
  take(bytes: number): void {
    this.#credit -= bytes;
  }

  /** The peer returned credit. Nonsense (not a positive safe sum) is refused with false. */
  grant(bytes: number): boolean {
    const credit = this.#credit + bytes;
    if (!(bytes > 0) || !(credit <= Number.MAX_SAFE_INTEGER)) return this.#credit === Infinity && bytes > 0;
    this.#credit = credit;
    return true;
  }
}
