import type { Socket } from "node:net";
import { HeldBytes } from "../h2/held_bytes.ts";
import type { ByteStream, ByteStreamHandler } from "../tunnel/byte_stream.ts";
import { bytesRead } from "./read_meter.ts";
import { corkForTurn } from "./turn_cork.ts";

/** Pieces below this size are gathered for a peer that does not read: each would cost hundreds of bytes in a socket's queue. */
const smallBytes = 4 * 1024;

/** Bytes that are taken from a socket before anybody is there to handle them. */
const earlyLimitBytes = 64 * 1024;

/**
 * A node:net or node:tls socket as a byte stream. It reads from the start, up to a bound, so that a peer that hangs up
 * early is noticed; what was read is handed on when the stream is started.
 */
export class SocketStream implements ByteStream {
  readonly #socket: Socket;
  #handler: ByteStreamHandler | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #paused = false;
  /** What was written to a full socket, from the first small piece on. */
  #held: HeldBytes | undefined;
  /** Let go at the start, with whatever of the request it holds: a stream may live for days. */
  #onGone: (() => void) | undefined;

  /**
   * @param head bytes of the stream that were read already
   * @param onGone called when the peer goes away before {@link start}: it broke the connection, or ended it without
   * having sent anything
   */
  constructor(socket: Socket, head?: Uint8Array, onGone?: () => void) {
    this.#socket = socket;
    this.#onGone = onGone;
    if (head !== undefined && head.length > 0) {
      this.#early.push(head);
      this.#earlyBytes = head.length;
    }
    socket.on("data", (bytes: Uint8Array) => this.#onData(bytes));
    socket.on("drain", () => this.#onDrain());
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error: Error) => {
      this.#error ??= error;
    });
    socket.on("close", () => this.#onClose());
    if (socket.destroyed) this.#onClose();
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    this.#onGone = undefined;
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    for (const bytes of early) handler.onData(bytes);
    if (this.#closed) handler.onClose(this.#error);
    else if (this.#ended) handler.onEnd();
    else if (!this.#paused) this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#socket.writableEnded || this.#socket.destroyed) return true;
    corkForTurn(this.#socket);
    if (this.#held === undefined) {
      if (bytes.length >= smallBytes || !this.#socket.writableNeedDrain) return this.#socket.write(bytes);
      this.#held = new HeldBytes();
    }
    this.#held.push(bytes);
    return false;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#closed) this.#socket.resume();
  }

  end(): void {
    if (this.#closed || this.#socket.writableEnded) return;
    this.#writeHeld();
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Bytes written that the operating system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength + (this.#held?.length ?? 0);
  }

  #onData(bytes: Uint8Array): void {
    bytesRead(bytes.length);
    if (this.#handler !== undefined) {
      this.#handler.onData(bytes);
      return;
    }
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes >= earlyLimitBytes) this.#socket.pause();
  }

  #onDrain(): void {
    this.#writeHeld();
    if (!this.#socket.writableNeedDrain) this.#handler?.onDrain();
  }

  #writeHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    corkForTurn(this.#socket);
    for (let piece = held.shift(); piece !== undefined; piece = held.shift()) this.#socket.write(piece);
  }

  #onEnd(): void {
    this.#ended = true;
    if (this.#handler !== undefined) this.#handler.onEnd();
    else if (this.#earlyBytes === 0) this.#onGone?.();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#handler !== undefined) this.#handler.onClose(this.#error);
    else this.#onGone?.();
  }
}
