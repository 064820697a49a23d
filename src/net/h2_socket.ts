import type { Socket } from "node:net";
import { H2Connection, type H2Handler, type H2Options, type H2Output } from "../h2/connection.ts";
import { linger } from "./linger.ts";
import { bytesRead } from "./read_meter.ts";

/** Bytes that may wait in a socket before its connection holds DATA back: enough to keep the operating system busy. */
const socketHighBytes = 256 * 1024;

/** A socket under an HTTP/2 connection of our own. */
export class H2Socket implements H2Output {
  readonly #socket: Socket;
  readonly connection: H2Connection;
  #scheduled = false;
  #ended = false;
  readonly #flush = () => {
    this.#scheduled = false;
    this.connection.flush();
  };

  constructor(socket: Socket, handler: H2Handler, options: H2Options) {
    this.#socket = socket;
    this.connection = new H2Connection(this, handler, options);
    socket.on("data", (bytes: Uint8Array) => {
      bytesRead(bytes.length);
      this.connection.push(bytes);
    });
    socket.on("drain", () => this.connection.drained());
    // A connection that breaks has an error and a close; the close is what ends it.
    socket.on("error", (error: Error) => this.connection.lost(error.message));
    socket.on("end", () => this.connection.lost("closed by the peer"));
    socket.on("close", () => this.connection.lost("closed"));
  }

  // ---- H2Output ----

  write(pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed || this.#ended) return true;
    const corks = pieces.length > 1;
    if (corks) socket.cork();
    for (const piece of pieces) socket.write(piece);
    if (corks) socket.uncork();
    // A socket that asks to hold back says when it may go on; below our own mark that is not worth waiting for.
    return !socket.writableNeedDrain || socket.writableLength < socketHighBytes;
  }

  /** What is written within one turn of the event loop goes out in one write. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#socket;
    if (socket.destroyed) return;
    // What the peer still sends is read and dropped for a while, so that it sees the last frames and no reset.
    socket.end();
    socket.once("close", linger(() => socket.writableLength, () => socket.destroy()));
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Drops the connection without another word. */
  destroy(): void {
    this.#socket.destroy();
  }
}
