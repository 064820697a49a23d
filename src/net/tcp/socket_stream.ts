import type { Socket } from "node:net";
import { fault, type Owner } from "../../faults/fault.ts";
import { guard, ownedByEmitter } from "../../faults/owned.ts";
import { ByteQueue } from "../../streams/byte_queue.ts";
import type { ByteStream, ByteStreamHandler } from "../../streams/byte_stream.ts";
import { type FairReader, readInTurns } from "../../runtime/fair_reading.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { bytesRead, gated, ungated } from "../../runtime/memory/read_meter.ts";
import { corkForTurn } from "../../runtime/turn_cork.ts";

/** Pieces below this size are gathered for a peer that does not read: each would cost hundreds of bytes in a socket's queue. */
const smallBytes = 4 * 1024;

/** Bytes that are taken from a socket before anybody is there to handle them. */
const earlyLimitBytes = 64 * 1024;

/** Where a socket has its stream, so that its listeners need no closure of their own. */
const streamOf = Symbol("stream");

interface CarryingSocket extends Socket {
  [streamOf]?: SocketStream;
}

const carried = (socket: CarryingSocket) => socket[streamOf];

/**
 * A node:net or node:tls socket as a byte stream. It reads from the start, up to a bound, so that a peer that hangs up
 * early is noticed; what was read is handed on when the stream is started. A handler that throws loses its socket.
 */
export class SocketStream implements ByteStream, Owner {
  readonly place = "stream";
  readonly #socket: Socket;
  readonly #reader: FairReader;
  #handler: ByteStreamHandler | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #paused = false;
  /** What was written to a full socket, from the first small piece on. */
  #held: ByteQueue | undefined;
  /** Let go at the start, with whatever of the request it holds: a stream may live for days. */
  #onGone: (() => void) | undefined;
  #onClosed: (() => void) | undefined;

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
    (socket as CarryingSocket)[streamOf] = this;
    // A tunnel's: its client was let in, or its destination was asked for.
    this.#reader = readInTurns(socket, (bytes) => this.#onData(bytes), true);
    gated("endpoint", this.#reader);
    socket.on("drain", SocketStream.#ownedDrain);
    socket.on("end", SocketStream.#ownedEnd);
    socket.on("error", SocketStream.#ownedError);
    socket.on("close", SocketStream.#ownedClose);
    if (socket.destroyed) this.#onClose();
  }

  static readonly #ownedDrain = ownedByEmitter(carried, (stream) => stream.#onDrain());
  static readonly #ownedEnd = ownedByEmitter(carried, (stream) => stream.#onEnd());
  static readonly #ownedClose = ownedByEmitter(carried, (stream) => stream.#onClose());
  static readonly #ownedError = ownedByEmitter(carried, (stream, error) => {
    stream.#error ??= error instanceof Error ? error : new Error(String(error));
  });

  /** host:port of the other end; undefined once it is gone. */
  get remoteAddress(): string | undefined {
    const { remoteAddress, remotePort } = this.#socket;
    return remoteAddress === undefined ? undefined : formatHostPort(remoteAddress, remotePort ?? 0);
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    this.#onGone = undefined;
    const early = this.#early;
    this.#early = [];
    this.#earlyBytes = 0;
    guard(this, () => {
      for (const bytes of early) handler.onData(bytes);
      if (this.#closed) handler.onClose(this.#error);
      else if (this.#ended) handler.onEnd();
      else if (!this.#paused) this.#socket.resume();
    });
  }

  /** Calls back when the socket is closed and its descriptor free; at most one callback, which must not throw. */
  onceClosed(callback: () => void): void {
    if (this.#closed) callback();
    else this.#onClosed = callback;
  }

  /** {@link Owner}: the handler learns of it by `onClose`, where it can. */
  faulted(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#socket.writableEnded || this.#socket.destroyed) return true;
    corkForTurn(this.#socket);
    if (this.#held === undefined) {
      if (bytes.length >= smallBytes || !this.#socket.writableNeedDrain) return this.#socket.write(bytes);
      this.#held = new ByteQueue();
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
      try {
        this.#handler.onData(bytes);
      } catch (error) {
        fault(this, error);
      }
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
    ungated("endpoint", this.#reader);
    this.#onClosed?.();
    if (this.#handler !== undefined) this.#handler.onClose(this.#error);
    else this.#onGone?.();
  }
}
