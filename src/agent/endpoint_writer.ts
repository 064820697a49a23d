import { ByteQueue } from "../streams/byte_queue.ts";
import type { ByteStream } from "../streams/byte_stream.ts";

/**
 * Bytes on their way to a destination. The socket gets more only once it took the last: a socket that is handed
 * everything at once hands it to the system in one piece, and nobody sees that a slow destination makes progress.
 */
export class EndpointWriter {
  readonly #stream: ByteStream;
  readonly #onTaken: (bytes: number) => void;
  readonly #queue = new ByteQueue();
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
    return this.#queue.length + this.#writtenBytes;
  }

  /** Writes in order, behind everything that waits. */
  write(bytes: Uint8Array): void {
    if (this.#ending) return;
    if (this.#full) this.#queue.push(bytes);
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
    while (!this.#full) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) break;
      this.#write(bytes);
    }
    if (this.#queue.length > 0) return;
    if (this.#ending) this.#stream.end();
  }

  /** Drops what waits; nothing more is written. */
  discard(): void {
    this.#ending = true;
    this.#queue.clear();
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
}
