/** Payloads below this are copied between the frame headers: a piece of its own would cost more. */
const copyBelowBytes = 2048;

const slabBytes = 64 * 1024;

/**
 * Where small pieces are written, one behind the other. Shared by all connections: a region that was handed out is never
 * written again, and the slab is garbage once no region of it is referenced.
 */
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

/**
 * Collects the bytes of one write: small things lie together in a slab, large payloads stay the views that they are. It is
 * used from the first call to {@link PieceWriter.finish} without another one in between.
 */
export class PieceWriter {
  #pieces: Uint8Array[] = [];
  #from = slabUsed;
  #bytes = 0;

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Room for `length` bytes, which the caller fills before it asks for anything else. At most the slab's size. */
  room(length: number): Uint8Array {
    if (slabUsed + length > slabBytes) {
      this.#closeRegion();
      slab = new Uint8Array(slabBytes);
      slabUsed = 0;
      this.#from = 0;
    }
    const region = slab.subarray(slabUsed, slabUsed + length);
    slabUsed += length;
    this.#bytes += length;
    return region;
  }

  /** Adds a payload. */
  add(bytes: Uint8Array): void {
    if (bytes.length < copyBelowBytes) {
      this.room(bytes.length).set(bytes);
      return;
    }
    this.#closeRegion();
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
  }

  /** Hands the pieces out and begins anew. */
  finish(): Uint8Array[] {
    this.#closeRegion();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    return pieces;
  }

  /** Says that other writers may have used the slab meanwhile. Called before the first use. */
  begin(): void {
    this.#from = slabUsed;
  }

  #closeRegion(): void {
    if (slabUsed > this.#from) this.#pieces.push(slab.subarray(this.#from, slabUsed));
    this.#from = slabUsed;
  }
}
