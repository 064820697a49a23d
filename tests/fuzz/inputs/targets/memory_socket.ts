import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A connection in memory: what the peer sends is pushed, and what it is sent is kept. */
export class MemorySocket extends Duplex {
  readonly written: Uint8Array[] = [];
  bytesRead = 0;
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 4000;

  constructor() {
    super({ allowHalfOpen: true });
    // As the runtime's sockets, whose errors have listeners from the first line on.
    this.on("error", () => {});
  }

  /** As the type that it stands in for, of which nothing else is used. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** The peer sends. */
  receive(bytes: Uint8Array): void {
    this.bytesRead += bytes.length;
    // The reader may keep it, and Node's streams take Buffers.
    this.push(Buffer.from(bytes));
  }

  /** The peer sends no more. */
  receiveEnd(): void {
    this.push(null);
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}

/** Some turns of the event loop, in which streams hand on what they have. */
export async function streamTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
