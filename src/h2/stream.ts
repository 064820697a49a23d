import type { HeaderField } from "./header_table.ts";
import { HeldBytes } from "./held_bytes.ts";
import { frameFlag, frameHeaderBytes, frameType, writeFrameHeader } from "./frame.ts";
import { h2Limits } from "./limits.ts";
import type { PieceWriter } from "./piece_writer.ts";

/** How a stream ended: both sides in order, a reset by either, or with its connection. */
export type H2StreamEnd =
  | { readonly kind: "ended" }
  | { readonly kind: "reset"; readonly code: number; readonly byPeer: boolean }
  | { readonly kind: "lost"; readonly message: string };

/** What a stream tells its owner. After {@link onClose} nothing more comes. */
export interface H2StreamHandler {
  /** Bytes of the request's body, never empty; the view may be kept. */
  onData(bytes: Uint8Array): void;
  /** The stream takes bytes again after a write returned false. */
  onDrain(): void;
  /** The peer sends no more; this side still may. */
  onEnd(): void;
  /** Called once, when the stream is gone for whatever reason. */
  onClose(end: H2StreamEnd): void;
}

/** What a stream needs of its connection; the connection is it. */
export interface StreamHost {
  /** The stream has bytes to send and a window for them. */
  sendable(stream: H2Stream): void;
  sendHeaders(stream: H2Stream, fields: Iterable<HeaderField>, endStream: boolean): void;
  /** Ends this side of the stream, behind everything that was sent. */
  sendEnd(stream: H2Stream, trailers: readonly HeaderField[] | undefined): void;
  sendReset(stream: H2Stream, code: number): void;
  /** The peer may send so many more bytes on the stream. */
  sendCredit(stream: H2Stream, bytes: number): void;
  /** The bytes that are held for paused streams became more or fewer. */
  heldChanged(bytes: number): void;
  /** Asks the peer for a sign of life. */
  ping(onPong: () => void): void;
  /** The stream is gone; it can be forgotten. */
  forget(stream: H2Stream): void;
}

/** A request's stream on the serving side. Bytes that come before {@link start}, or while it is paused, are held. */
export class H2Stream {
  readonly id: number;
  readonly #host: StreamHost;
  readonly #receiveWindowBytes: number;
  #handler: H2StreamHandler | undefined;
  #onGone: (() => void) | undefined;
  #paused = true;
  #held: HeldBytes | undefined;
  /** What the peer may still send; what was consumed of the window and not given back yet. */
  #receiveWindow: number;
  #unreturned = 0;
  /** Bytes of the body so far, and as many as the request announced (-1: it did not). */
  #received = 0;
  #expected: number;
  #remoteEnded = false;
  #endTold = false;
  #sendWindow: number;
  /** Views to send; the first `#queueFrom` of them, and `#firstFrom` bytes of the next, are sent already. */
  #queue: Uint8Array[] = [];
  #queueFrom = 0;
  #firstFrom = 0;
  #queuedBytes = 0;
  #wantsDrain = false;
  /** Where small pieces are gathered that are written one after another while the owner should hold back. */
  #block: Uint8Array = emptyPiece;
  #blockUsed = 0;
  /** The part of the block that was queued last; it grows while it is the queue's last entry. */
  #gathered: Uint8Array | undefined;
  #smallBefore = false;
  #ending = false;
  #trailers: readonly HeaderField[] | undefined;
  #localEnded = false;
  /** Set once the stream is gone. */
  #end: H2StreamEnd | undefined;

  constructor(id: number, host: StreamHost, receiveWindowBytes: number, sendWindow: number, expectedBytes: number) {
    this.id = id;
    this.#host = host;
    this.#receiveWindowBytes = receiveWindowBytes;
    this.#receiveWindow = receiveWindowBytes;
    this.#sendWindow = sendWindow;
    this.#expected = expectedBytes;
  }

  // ---- for the owner ----

  /** Starts delivery to `handler`. Called once; on a stream that is gone already nothing comes but the end. */
  start(handler: H2StreamHandler): void {
    this.#handler = handler;
    if (this.#end !== undefined) handler.onClose(this.#end);
    else this.resume();
  }

  /** Calls back when the stream is gone, whether it was started or not; at once when it is already. */
  onGone(listener: () => void): void {
    if (this.closed) listener();
    else this.#onGone = listener;
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** The peer has ended its side. */
  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** This side was ended; what was written before may still wait. */
  get ending(): boolean {
    return this.#ending;
  }

  /** This side was ended and everything of it was handed to the connection. */
  get localEnded(): boolean {
    return this.#localEnded;
  }

  /** Bytes written that wait for a window or for the connection. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Sends the response's headers; they go before every byte that is written. */
  respond(fields: Iterable<HeaderField>, endStream = false): void {
    if (this.closed || this.#ending) return;
    this.#host.sendHeaders(this, fields, endStream);
    if (!endStream) return;
    this.#ending = true;
    this.ended();
  }

  /**
   * Writes bytes without a copy: the caller must not change them any more.
   * @returns false when the caller should hold back until `onDrain`; the bytes were taken all the same
   */
  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#ending || bytes.length === 0) return true;
    const small = bytes.length < gatherBelowBytes;
    if (small && this.#smallBefore && this.#wantsDrain) this.#gather(bytes);
    else this.#queue.push(bytes);
    this.#smallBefore = small;
    this.#queuedBytes += bytes.length;
    if (this.#sendWindow > 0) this.#host.sendable(this);
    if (this.#queuedBytes < h2Limits.streamQueueHighBytes) return true;
    this.#wantsDrain = true;
    return false;
  }

  /** Ends this side in order, after everything written. */
  end(trailers?: readonly HeaderField[]): void {
    if (this.closed || this.#ending) return;
    this.#ending = true;
    this.#trailers = trailers;
    if (this.#queuedBytes === 0) this.#finish();
  }

  /** Drops the stream at once, with what was not sent yet. */
  reset(code: number): void {
    if (this.closed) return;
    if (this.#localEnded && this.#remoteEnded) return this.close({ kind: "ended" });
    this.#host.sendReset(this, code);
    this.close({ kind: "reset", code, byPeer: false });
  }

  /** Asks the peer for a sign of life, on the connection; a stream that is gone gets none. */
  ping(onPong: () => void): void {
    if (!this.closed) this.#host.ping(onPong);
  }

  /** Stops delivery; the peer may fill its window meanwhile, and then waits. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (this.#handler === undefined) return;
    this.#paused = false;
    while (!this.#stopped) {
      const piece = this.#held?.shift();
      if (piece === undefined) break;
      this.#host.heldChanged(-piece.length);
      this.#handler.onData(piece);
      this.#consumed(piece.length);
    }
    this.#tellEnd();
  }

  // ---- for the connection ----

  get receiveWindow(): number {
    return this.#receiveWindow;
  }

  get sendWindow(): number {
    return this.#sendWindow;
  }

  /** A DATA frame began whose `bytes` fit in the window. */
  takeWindow(bytes: number): void {
    this.#receiveWindow -= bytes;
  }

  receive(bytes: Uint8Array): void {
    if (this.closed) return;
    this.#received += bytes.length;
    if (!this.#paused && this.#handler !== undefined && (this.#held?.length ?? 0) === 0) {
      this.#handler.onData(bytes);
      this.#consumed(bytes.length);
      return;
    }
    this.#held ??= new HeldBytes();
    this.#held.push(bytes);
    this.#host.heldChanged(bytes.length);
  }

  /** Padding counts for the window and is nobody's to read. */
  receivePadding(bytes: number): void {
    this.#consumed(bytes);
  }

  /** The peer ended its side. Returns false when its body is not as long as it announced. */
  receiveEnd(): boolean {
    if (this.#expected >= 0 && this.#received !== this.#expected) return false;
    this.#remoteEnded = true;
    if (!this.closed) this.#tellEnd();
    return true;
  }

  /** The peer's window changed, up or down. Returns false when it grew beyond what a window can be. */
  changeSendWindow(by: number, limit: number): boolean {
    if (this.#sendWindow + by > limit) return false;
    this.#sendWindow += by;
    if (this.#queuedBytes > 0 && this.#sendWindow > 0) this.#host.sendable(this);
    return true;
  }

  /** Writes one DATA frame of at most `maxBytes` of what waits; returns the bytes that count for flow control. */
  takeFrame(writer: PieceWriter, maxBytes: number): number {
    const bytes = Math.min(this.#queuedBytes, this.#sendWindow, maxBytes);
    const last = bytes === this.#queuedBytes && this.#ending && this.#trailers === undefined;
    const header = writer.room(frameHeaderBytes);
    writeFrameHeader(header, 0, bytes, frameType.data, last ? frameFlag.endStream : 0, this.id);
    this.#sendWindow -= bytes;
    this.#queuedBytes -= bytes;
    for (let left = bytes; left > 0;) {
      const piece = this.#queue[this.#queueFrom] ?? emptyPiece;
      const from = this.#firstFrom;
      const take = Math.min(piece.length - from, left);
      writer.add(take === piece.length ? piece : piece.subarray(from, from + take));
      left -= take;
      this.#firstFrom = from + take;
      if (this.#firstFrom < piece.length) continue;
      this.#firstFrom = 0;
      // Sent pieces are let go at once, not when the queue is empty.
      this.#queue[this.#queueFrom++] = emptyPiece;
    }
    if (this.#queueFrom === this.#queue.length || this.#queueFrom > compactFrom) {
      this.#queue.splice(0, this.#queueFrom);
      this.#queueFrom = 0;
    }
    return bytes;
  }

  /** Everything that was written has been handed to the connection, and this side is to end now. */
  get readyToEnd(): boolean {
    return this.#ending && !this.#localEnded && this.#queuedBytes === 0;
  }

  /** The trailers that end this side; undefined when the last DATA frame did. */
  get trailers(): readonly HeaderField[] | undefined {
    return this.#trailers;
  }

  /** This side has ended on the wire. */
  ended(): void {
    this.#localEnded = true;
    this.#closeWhenDone();
  }

  /** Whether the owner waits for `onDrain` and may go on; asked once, because it is then told. */
  takeDrain(): boolean {
    if (!this.#wantsDrain || this.closed || this.#queuedBytes > h2Limits.streamQueueLowBytes) return false;
    this.#wantsDrain = false;
    return true;
  }

  tellDrain(): void {
    if (!this.closed) this.#handler?.onDrain();
  }

  /** The stream is gone: nothing of it is kept, and its owner is told. */
  close(end: H2StreamEnd): void {
    if (this.closed) return;
    this.#end = end;
    this.#queue = [];
    this.#block = emptyPiece;
    this.#gathered = undefined;
    this.#queueFrom = 0;
    this.#firstFrom = 0;
    this.#queuedBytes = 0;
    const held = this.#held?.length ?? 0;
    this.#held = undefined;
    if (held > 0) this.#host.heldChanged(-held);
    this.#host.forget(this);
    this.#handler?.onClose(end);
    this.#onGone?.();
  }

  // ---- own ----

  /** Queues a small piece beside those before it, so that a peer that does not read costs little more than its bytes. */
  #gather(bytes: Uint8Array): void {
    if (this.#blockUsed + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(blockBytes);
      this.#blockUsed = 0;
      this.#gathered = undefined;
    }
    const last = this.#queue.length - 1;
    const joins = this.#gathered !== undefined && this.#queue[last] === this.#gathered;
    const from = joins ? this.#blockUsed - (this.#gathered?.length ?? 0) : this.#blockUsed;
    this.#block.set(bytes, this.#blockUsed);
    this.#blockUsed += bytes.length;
    this.#gathered = this.#block.subarray(from, this.#blockUsed);
    if (joins) this.#queue[last] = this.#gathered;
    else this.#queue.push(this.#gathered);
  }

  /** The owner paused or dropped the stream, possibly from within a call that delivered to it. */
  get #stopped(): boolean {
    return this.#paused || this.closed;
  }

  #consumed(bytes: number): void {
    if (this.#remoteEnded || this.closed) return;
    this.#unreturned += bytes;
    if (this.#unreturned * 2 < this.#receiveWindowBytes) return;
    this.#receiveWindow += this.#unreturned;
    this.#host.sendCredit(this, this.#unreturned);
    this.#unreturned = 0;
  }

  #tellEnd(): void {
    if (!this.#remoteEnded || this.#endTold || this.#handler === undefined || this.closed) return;
    // Not an event of its own for a paused owner: what it has to read comes first.
    if ((this.#held?.length ?? 0) > 0) return;
    this.#endTold = true;
    this.#handler.onEnd();
    this.#closeWhenDone();
  }

  #finish(): void {
    this.#host.sendEnd(this, this.#trailers);
    this.ended();
  }

  #closeWhenDone(): void {
    if (this.#localEnded && this.#endTold) this.close({ kind: "ended" });
  }
}

const emptyPiece = new Uint8Array(0);

/** Pieces below this size may be gathered, in blocks of so many bytes. */
const gatherBelowBytes = 2048;
const blockBytes = 16 * 1024;

/** Sent pieces at the front of a queue are cut off in blocks of this many. */
const compactFrom = 64;
