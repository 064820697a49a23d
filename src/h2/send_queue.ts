import type { PieceWriter } from "./frames/piece_writer.ts";

/** Pieces below this size may be gathered, in blocks of so many bytes. */
const gatherBelowBytes = 2048;
const blockBytes = 16 * 1024;

/** Sent pieces at the front of a queue are cut off in blocks of this many. */
const compactFrom = 64;

const emptyPiece = new Uint8Array(0);

/** What a stream has to send, as the views that its owner wrote. */
export class SendQueue {
  /** The first `#from` pieces, and `#fromByte` bytes of the next, are sent already. */
  #pieces: Uint8Array[] = [];
  #from = 0;
  #fromByte = 0;
  #bytes = 0;
  /** Size of the piece that was pushed last. */
  #lastBytes = gatherBelowBytes;
  /** Where small pieces are gathered that are pushed one after another onto a full queue. */
  #block: Uint8Array = emptyPiece;
  #blockUsed = 0;
  /** The part of the block that was queued last; it grows while it is the queue's last piece. */
  #gathered: Uint8Array | undefined;

  /** Bytes that are not sent yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Queues a piece without a copy.
   * @param full the owner goes on although it should wait: small pieces are copied together
   */
  push(piece: Uint8Array, full: boolean): void {
    if (full && piece.length < gatherBelowBytes && this.#lastBytes < gatherBelowBytes) this.#gather(piece);
    else this.#pieces.push(piece);
    this.#lastBytes = piece.length;
    this.#bytes += piece.length;
  }

  /** Moves the next `bytes` of the queue to a writer; no more than there are. */
  writeTo(writer: PieceWriter, bytes: number): void {
    this.#bytes -= bytes;
    for (let remaining = bytes; remaining > 0;) {
      const piece = this.#pieces[this.#from] ?? emptyPiece;
      const from = this.#fromByte;
      const take = Math.min(piece.length - from, remaining);
      writer.add(take === piece.length ? piece : piece.subarray(from, from + take));
      remaining -= take;
      this.#fromByte = from + take;
      if (this.#fromByte < piece.length) continue;
      this.#fromByte = 0;
      // Sent pieces are released at once, not when the queue is empty.
      this.#pieces[this.#from++] = emptyPiece;
    }
    if (this.#from === this.#pieces.length || this.#from > compactFrom) {
      this.#pieces.splice(0, this.#from);
      this.#from = 0;
    }
  }

  /** Drops everything. */
  clear(): void {
    this.#pieces = [];
    this.#from = 0;
    this.#fromByte = 0;
    this.#bytes = 0;
    this.#block = emptyPiece;
    this.#blockUsed = 0;
    this.#gathered = undefined;
  }

  /** Queues a small piece beside those before it, so that a peer that does not read costs little more than its bytes. */
  #gather(bytes: Uint8Array): void {
    if (this.#blockUsed + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(blockBytes);
      this.#blockUsed = 0;
      this.#gathered = undefined;
    }
    const last = this.#pieces.length - 1;
    const joins = this.#gathered !== undefined && this.#pieces[last] === this.#gathered;
    const from = joins ? this.#blockUsed - (this.#gathered?.length ?? 0) : this.#blockUsed;
    this.#block.set(bytes, this.#blockUsed);
    this.#blockUsed += bytes.length;
    this.#gathered = this.#block.subarray(from, this.#blockUsed);
    if (joins) this.#pieces[last] = this.#gathered;
    else this.#pieces.push(this.#gathered);
  }
}
