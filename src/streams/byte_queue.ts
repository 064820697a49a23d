/** Views at least this long are kept as they are; shorter ones are copied together. */
const keepFromBytes = 4096;
const firstCopyBytes = 256;
const copyBytes = 16 * 1024;

const nothing = new Uint8Array(0);

/**
 * Bytes that wait for a reader, in their order. Its user bounds how many; that small pieces are copied together bounds what
 * they cost: a peer that sends single bytes makes neither a view each nor keeps whole chunks alive.
 */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  #tail: Uint8Array = nothing;
  #tailUsed = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (bytes.length >= keepFromBytes) {
      this.#closeTail();
      this.#pieces.push(bytes);
      return;
    }
    if (this.#tailUsed + bytes.length > this.#tail.length) {
      const size = Math.min(Math.max(2 * this.#tail.length, firstCopyBytes, bytes.length), copyBytes);
      this.#closeTail();
      this.#tail = new Uint8Array(size);
    }
    this.#tail.set(bytes, this.#tailUsed);
    this.#tailUsed += bytes.length;
  }

  /** The oldest piece, removed; undefined when nothing is held. */
  shift(): Uint8Array | undefined {
    if (this.#pieces.length === 0) this.#closeTail();
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#length -= piece.length;
    return piece;
  }

  #closeTail(): void {
    if (this.#tailUsed > 0) this.#pieces.push(this.#tail.subarray(0, this.#tailUsed));
    this.#tail = nothing;
    this.#tailUsed = 0;
  }
}
