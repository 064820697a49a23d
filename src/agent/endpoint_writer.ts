import type { ByteStream } from "../tunnel/byte_stream.ts";

/** Pieces below this size are copied together while they wait, so that none of them keeps a whole chunk of a link in memory. */
const smallBytes = 4 * 1024;
const blockBytes = 16 * 1024;

/**
 * Bytes on their way to a destination. The socket gets more only once it took the last: a socket that is handed
 * everything at once hands it to the system in one piece, and nobody sees that a slow destination makes progress.
 */
export class EndpointWriter {
  readonly #stream: ByteStream;
  readonly #onTaken: (bytes: number) => void;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** The block that small pieces are gathered in, if it is the queue's last entry. */
  #block: Uint8Array | undefined;
  #blockUsed = 0;
  /** Bytes that the socket took and the system has not. */
  #writtenBytes = 0;
  #full = false;
  #ending = false;

  /** @param onTaken the destination's side took so many bytes */
  constructor(stream: ByteStream, onTaken: (bytes: number) => void) {
    this.#stream = stream;
    this.#onTaken = onTaken;
  }

  /** Bytes that wait. */
  get heldBytes(): number {
    return this.#queuedBytes + this.#writtenBytes;
  }

  /** Writes in order, behind everything that waits. */
  write(bytes: Uint8Array): void {
    if (this.#ending) return;
    if (this.#full) this.#hold(bytes);
    else this.#write(bytes);
  }

  /** Ends the direction behind everything written. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#queue.length === 0) this.#stream.end();
  }

  /** The socket takes bytes again. */
  onDrain(): void {
    this.#full = false;
    const taken = this.#writtenBytes;
    this.#writtenBytes = 0;
    if (taken > 0) this.#onTaken(taken);
    let next = 0;
    while (!this.#full) {
      const bytes = this.#queue[next];
      if (bytes === undefined) break;
      next++;
      this.#queuedBytes -= bytes.length;
      this.#write(bytes);
    }
    if (next > 0) this.#queue = this.#queue.slice(next);
    if (this.#queue.length > 0) return;
    this.#block = undefined;
    if (this.#ending) this.#stream.end();
  }

  /** Drops what waits; nothing more is written. */
  discard(): void {
    this.#ending = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#block = undefined;
    this.#writtenBytes = 0;
  }

  #write(bytes: Uint8Array): void {
    if (this.#stream.write(bytes)) {
      this.#onTaken(bytes.length);
    } else {
      this.#writtenBytes += bytes.length;
      this.#full = true;
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#queuedBytes += bytes.length;
    if (bytes.length >= smallBytes) {
      this.#queue.push(bytes);
      this.#block = undefined;
      return;
    }
    let block = this.#block;
    if (block === undefined || this.#blockUsed + bytes.length > block.length) {
      block = new Uint8Array(blockBytes);
      this.#block = block;
      this.#blockUsed = 0;
      this.#queue.push(block.subarray(0, 0));
    }
    block.set(bytes, this.#blockUsed);
    this.#blockUsed += bytes.length;
    this.#queue[this.#queue.length - 1] = block.subarray(0, this.#blockUsed);
  }
}
