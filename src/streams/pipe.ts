import type { ByteStream, ByteStreamHandler } from "./byte_stream.ts";

/**
 * Carries bytes between two streams. Each is paused while the other takes no more, ends where the other ends, and is destroyed
 * when the other is gone. What throws on the way ends the stream whose event it was, by that stream's own owner.
 */
export function pipe(a: ByteStream, b: ByteStream): void {
  a.start(new Direction(a, b));
  b.start(new Direction(b, a));
}

/** What comes from one stream for the other. */
class Direction implements ByteStreamHandler {
  readonly #from: ByteStream;
  readonly #to: ByteStream;

  constructor(from: ByteStream, to: ByteStream) {
    this.#from = from;
    this.#to = to;
  }

  onData(bytes: Uint8Array): void {
    if (!this.#to.write(bytes)) this.#from.pause();
  }

  /** This stream takes bytes again: those of the other go on. */
  onDrain(): void {
    this.#to.resume();
  }

  onEnd(): void {
    this.#to.end();
  }

  onClose(error: Error | undefined): void {
    this.#to.destroy(error);
  }
}
