import type { Socket } from "node:net";
import type { Owner } from "../../faults/fault.ts";
import { owned, ownedByEmitter } from "../../faults/owned.ts";
import { H2Connection, type H2Handler, type H2Options, type H2Output } from "../../h2/connection.ts";
import { joined } from "../../wire/bytes.ts";
import type { Clock } from "../../runtime/clock.ts";
import { watchProgress } from "../../streams/progress.ts";
import { EdgeError, type EdgeReason } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { linger } from "../tcp/linger.ts";
import { type FairReader, readInTurns } from "../../runtime/fair_reading.ts";
import { bytesRead } from "../../runtime/memory/read_meter.ts";

/** Bytes that may wait in a socket before its connection holds DATA back: enough to keep the operating system busy. */
const socketHighBytes = 256 * 1024;

/** Where a socket has its connection, so that its listeners need no closure of their own. */
const h2SocketOf = Symbol("h2Socket");

interface CarryingSocket extends Socket {
  [h2SocketOf]?: H2Socket;
}

const carried = (socket: CarryingSocket) => socket[h2SocketOf];

/** A socket under an HTTP/2 connection of our own. What throws, and belongs to none of its streams, ends the connection. */
export class H2Socket implements H2Output, Owner {
  readonly place = "connection";
  readonly #socket: Socket;
  readonly connection: H2Connection;
  readonly #reader: FairReader;
  #scheduled = false;
  #ended = false;
  /** A call of the client's was ever accepted. */
  anyAccepted = false;
  readonly #flush = owned(this, () => {
    this.#scheduled = false;
    this.connection.flush();
  });

  readonly clock: Clock;
  readonly #onBound: (error: EdgeError) => void;
  /** What is left of the last chunk, for a later turn. */
  #left: Uint8Array | undefined;
  /** Bytes that came after this side had ended. */
  #dropped = 0;
  /** The peer takes too little of what waits for it, and is not read meanwhile. */
  #unsent: (() => void) | undefined;
  readonly #pushLeft = owned(this, () => {
    const left = this.#left;
    this.#left = undefined;
    if (left !== undefined) this.#push(left);
  });

  /** @param onBound called before a connection is dropped that has reached a bound of `edge_limits.ts` */
  constructor(
    socket: Socket,
    handler: H2Handler,
    options: H2Options,
    clock: Clock,
    onBound: (error: EdgeError) => void = () => {},
  ) {
    this.#socket = socket;
    this.clock = clock;
    this.#onBound = onBound;
    this.connection = new H2Connection(this, handler, options);
    this.#reader = readInTurns(socket, owned(this, (bytes: Uint8Array) => this.#onData(bytes)));
    (socket as CarryingSocket)[h2SocketOf] = this;
    socket.on("drain", H2Socket.#ownedDrain);
    // A connection that breaks has an error and a close; the close is what ends it.
    socket.on("error", H2Socket.#ownedError);
    socket.on("end", H2Socket.#ownedEnd);
    socket.on("close", H2Socket.#ownedClose);
  }

  static readonly #ownedDrain = ownedByEmitter(carried, (socket) => socket.#onDrain());
  static readonly #ownedEnd = ownedByEmitter(carried, (socket) => socket.connection.lost("closed by the peer"));
  static readonly #ownedError = ownedByEmitter(carried, (socket, error) => {
    socket.connection.lost(error instanceof Error ? error.message : String(error));
  });
  static readonly #ownedClose = ownedByEmitter(carried, (socket) => {
    socket.#unsent?.();
    socket.connection.lost("closed");
  });

  /** {@link Owner}: the close that follows ends every stream. */
  faulted(): void {
    this.#socket.destroy();
  }

  // ---- H2Output ----

  write(pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed || this.#ended) return true;
    const corks = pieces.length > 1;
    if (corks) socket.cork();
    for (const piece of pieces) socket.write(piece);
    if (corks) socket.uncork();
    if (socket.writableLength > edgeLimits.unsentBytes && this.#unsent === undefined) this.#holdBack();
    // A full socket emits `drain` when it takes data again; below our own bound that is not worth waiting for.
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
    socket.once("close", linger(() => socket.writableLength, () => socket.destroy(), this.clock));
  }

  #onData(bytes: Uint8Array): void {
    bytesRead(bytes.length);
    if (this.#ended) return this.#drop(bytes.length);
    // What TLS had read already, while the rest of the chunk before waits for its turn.
    if (this.#left !== undefined) this.#left = joined(this.#left, bytes);
    else this.#push(bytes);
  }

  #push(bytes: Uint8Array): void {
    this.#left = this.connection.push(bytes);
    if (this.#left !== undefined) this.#reader.later(this.#pushLeft);
  }

  #onDrain(): void {
    this.#unsent?.();
    this.#unsent = undefined;
    this.#reader.release();
    this.connection.drained();
  }

  /** Asks for nothing more, which would have more answers, until the peer has taken what waits for it. */
  #holdBack(): void {
    this.#reader.hold();
    const everyMs = edgeLimits.unsentTimeoutMs;
    this.#unsent = watchProgress(
      () => this.#socket.writableLength,
      { everyMs, after: this.clock.after, owner: this },
      () => {
        this.#bound("unread_answers", `peer has read no answers for ${everyMs} ms`);
      },
    );
  }

  #drop(bytes: number): void {
    this.#reader.dropped(bytes);
    this.#dropped += bytes;
    if (this.#dropped <= edgeLimits.closedBytes || this.#socket.destroyed) return;
    this.#bound("flood", `peer sent more than ${edgeLimits.closedBytes} bytes after its connection was closed`);
  }

  #bound(reason: EdgeReason, message: string): void {
    this.#socket.destroy();
    this.#onBound(new EdgeError(reason, message));
  }

  /** A call of the client's was accepted. */
  accepted(): void {
    this.anyAccepted = true;
    this.#reader.accept();
    this.connection.accepted();
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Drops the connection without another word. */
  destroy(): void {
    this.#socket.destroy();
  }
}
