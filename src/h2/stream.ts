import type { H2Connection } from "./connection.ts";
import type { HeaderField } from "./hpack/header_table.ts";
import { ByteQueue } from "../streams/byte_queue.ts";
import type { ReceiveWindow } from "../streams/receive_window.ts";
import { frameFlag, frameHeaderBytes, frameType, writeFrameHeader } from "./frames/frame.ts";
import type { PieceWriter } from "./frames/piece_writer.ts";
import { h2Limits } from "./limits.ts";
import { SendQueue } from "./send_queue.ts";
import {
  nextReceivingState,
  nextSendingState,
  type ReceivingEvent,
  type ReceivingState,
  type SendingEvent,
  type SendingState,
} from "./stream_state.ts";

/** How a stream ended: both sides in order, a reset by either, or with its connection. */
export type H2StreamEnd =
  | { readonly kind: "ended" }
  | { readonly kind: "reset"; readonly code: number; readonly byPeer: boolean }
  | { readonly kind: "lost"; readonly message: string };

/** What a stream calls on its owner. Nothing is called after {@link onClose}. */
export interface H2StreamHandler {
  /** Bytes of the request's body, never empty; the view may be kept. */
  onData(bytes: Uint8Array): void;
  /** The stream takes bytes again after a write returned false. */
  onDrain(): void;
  /** The peer sends no more; this side still may. */
  onEnd(): void;
  /** Called once, when the stream is closed for whatever reason. */
  onClose(end: H2StreamEnd): void;
}

/** A request's stream on the serving side. Bytes that arrive before {@link start}, or while it is paused, are buffered. */
export class H2Stream {
  readonly id: number;
  readonly #connection: H2Connection;
  /** What the peer may still send. */
  readonly #window: ReceiveWindow;
  /** What it had grown by when the connection was last notified. */
  #grown = 0;
  #handler: H2StreamHandler | undefined;
  #onClosed: (() => void) | undefined;
  /** Set once the stream is closed. */
  #end: H2StreamEnd | undefined;

  #receiving: ReceivingState = "paused";
  #buffered: ByteQueue | undefined;
  /** Bytes of the body so far, and as many as the request announced (-1: it did not). */
  #received = 0;
  #expected: number;

  #sending: SendingState = "open";
  readonly #queue = new SendQueue();
  #sendWindow: number;
  #trailers: readonly HeaderField[] | undefined;

  constructor(id: number, connection: H2Connection, window: ReceiveWindow, sendWindow: number, expectedBytes: number) {
    this.id = id;
    this.#connection = connection;
    this.#window = window;
    this.#sendWindow = sendWindow;
    this.#expected = expectedBytes;
  }

  // ---- for the owner ----

  /** Starts delivery to `handler`. Called once; where the stream is closed already, only `onClose` is called. */
  start(handler: H2StreamHandler): void {
    this.#handler = handler;
    if (this.#end !== undefined) handler.onClose(this.#end);
    else this.resume();
  }

  /** Calls back when the stream is closed, whether it was started or not; at once when it is already. */
  onGone(listener: () => void): void {
    const before = this.#onClosed;
    if (this.closed) return listener();
    this.#onClosed = before === undefined ? listener : () => {
      before();
      listener();
    };
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** The peer has ended its side. */
  get remoteEnded(): boolean {
    return this.#receiving !== "paused" && this.#receiving !== "flowing";
  }

  /** This side was ended; what was written before may still be queued. */
  get ending(): boolean {
    return this.#sending !== "open" && this.#sending !== "full";
  }

  /** This side was ended, and everything of it was handed to the connection. */
  get localEnded(): boolean {
    return this.#sending === "ended";
  }

  /** Bytes written that wait for a window or for the connection. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Sends the response's headers; they go before every byte that is written. */
  respond(fields: Iterable<HeaderField>, endStream = false): void {
    if (this.closed || this.ending) return;
    this.#connection.sendHeaders(this, fields, endStream);
    if (!endStream) return;
    this.#moveSending("owner-ended");
    this.endSent();
  }

  /**
   * Writes bytes without a copy: the caller must not change them any more.
   * @returns false when the caller should wait for `onDrain`; the bytes were taken all the same
   */
  write(bytes: Uint8Array): boolean {
    if (this.closed || this.ending || bytes.length === 0) return true;
    this.#queue.push(bytes, this.#sending === "full");
    if (this.#sendWindow > 0) this.#connection.sendable(this);
    if (this.#queue.bytes < h2Limits.streamQueueHighBytes) return true;
    if (this.#sending === "open") this.#moveSending("filled");
    return false;
  }

  /** Ends this side in order, after everything written. */
  end(trailers?: readonly HeaderField[]): void {
    if (this.closed || !this.#moveSending("owner-ended")) return;
    this.#trailers = trailers;
    if (this.#queue.bytes > 0) return;
    this.#connection.sendEnd(this, trailers);
    this.endSent();
  }

  /** Drops the stream at once, with what was not sent yet. */
  reset(code: number): void {
    if (this.closed) return;
    if (this.localEnded && this.remoteEnded) return this.close({ kind: "ended" });
    this.#connection.sendReset(this, code);
    this.close({ kind: "reset", code, byPeer: false });
  }

  /** Sends a PING on the connection; a closed stream sends none. */
  ping(onPong: () => void): void {
    if (!this.closed) this.#connection.ping(onPong);
  }

  /** Stops delivery; the peer may fill its window meanwhile, and then waits. */
  pause(): void {
    this.#moveReceiving("paused");
  }

  resume(): void {
    if (this.#handler === undefined) return;
    this.#moveReceiving("resumed");
    // The owner may pause or close the stream from within a call that delivers to it.
    while (this.#delivers && !this.closed) {
      const piece = this.#buffered?.shift();
      if (piece === undefined) break;
      this.#connection.pausedBytesChanged(-piece.length);
      this.#handler.onData(piece);
      this.#consumed(piece.length);
    }
    this.#deliverEnd();
  }

  // ---- for the connection ----

  get sendWindow(): number {
    return this.#sendWindow;
  }

  /** A DATA frame of so many bytes began. Returns false when they are more than its window. */
  takeWindow(bytes: number): boolean {
    return this.#window.received(bytes);
  }

  receive(bytes: Uint8Array): void {
    if (this.closed) return;
    this.#received += bytes.length;
    if (this.#receiving === "flowing" && (this.#buffered?.length ?? 0) === 0) {
      this.#handler?.onData(bytes);
      this.#consumed(bytes.length);
      return;
    }
    this.#buffered ??= new ByteQueue();
    this.#buffered.push(bytes);
    this.#connection.pausedBytesChanged(bytes.length);
  }

  /** Padding counts for the window, and nobody reads it. */
  receivePadding(bytes: number): void {
    this.#consumed(bytes);
  }

  /** The peer ended its side. Returns false when its body is not as long as it announced. */
  receiveEnd(): boolean {
    if (this.#expected >= 0 && this.#received !== this.#expected) return false;
    this.#moveReceiving("peer-ended");
    this.#deliverEnd();
    return true;
  }

  /** The peer's window changed, up or down. Returns false when it grew beyond what a window can be. */
  changeSendWindow(by: number, limit: number): boolean {
    if (this.#sendWindow + by > limit) return false;
    this.#sendWindow += by;
    if (this.#queue.bytes > 0 && this.#sendWindow > 0) this.#connection.sendable(this);
    return true;
  }

  /** Writes one DATA frame of at most `maxBytes` of the queue; returns the bytes that count for flow control. */
  takeFrame(writer: PieceWriter, maxBytes: number): number {
    const bytes = Math.min(this.#queue.bytes, this.#sendWindow, maxBytes);
    const last = bytes === this.#queue.bytes && this.ending && this.#trailers === undefined;
    const header = writer.room(frameHeaderBytes);
    writeFrameHeader(header, 0, bytes, frameType.data, last ? frameFlag.endStream : 0, this.id);
    this.#sendWindow -= bytes;
    this.#queue.writeTo(writer, bytes);
    return bytes;
  }

  /** Everything that was written has been handed to the connection, and this side is to end now. */
  get readyToEnd(): boolean {
    return this.ending && !this.localEnded && this.#queue.bytes === 0;
  }

  /** The trailers that end this side; undefined when the last DATA frame did. */
  get trailers(): readonly HeaderField[] | undefined {
    return this.#trailers;
  }

  /** END_STREAM was handed to the connection. */
  endSent(): void {
    this.#moveSending("end-sent");
    this.#closeWhenDone();
  }

  /** Whether {@link notifyDrained} is due; true once for each time that the queue has filled. */
  takeDrained(): boolean {
    if (this.#sending !== "full" && this.#sending !== "ending-full") return false;
    return this.#queue.bytes <= h2Limits.streamQueueLowBytes && this.#moveSending("drained");
  }

  notifyDrained(): void {
    if (!this.closed) this.#handler?.onDrain();
  }

  /** The stream is closed: its bytes are dropped, and its owner is notified. */
  close(end: H2StreamEnd): void {
    if (this.closed) return;
    this.#end = end;
    this.#queue.clear();
    this.#window.close();
    this.#notifyGrown();
    const buffered = this.#buffered?.length ?? 0;
    this.#buffered = undefined;
    if (buffered > 0) this.#connection.pausedBytesChanged(-buffered);
    this.#connection.forget(this);
    this.#handler?.onClose(end);
    this.#onClosed?.();
  }

  // ---- own ----

  #moveReceiving(event: ReceivingEvent): boolean {
    const next = nextReceivingState(this.#receiving, event);
    if (next === undefined) return false;
    this.#receiving = next;
    return true;
  }

  #moveSending(event: SendingEvent): boolean {
    const next = nextSendingState(this.#sending, event);
    if (next === undefined) return false;
    this.#sending = next;
    return true;
  }

  get #delivers(): boolean {
    return this.#receiving === "flowing" || this.#receiving === "ended-flowing";
  }

  /** Returns credit in portions; once the peer has ended its side, it needs none. */
  #consumed(bytes: number): void {
    if (this.remoteEnded || this.closed) return;
    const credit = this.#window.consumed(bytes);
    if (credit === 0) return;
    this.#connection.sendCredit(this, credit);
    this.#notifyGrown();
  }

  #notifyGrown(): void {
    const { grownBytes } = this.#window;
    if (grownBytes === this.#grown) return;
    this.#connection.windowChanged(grownBytes - this.#grown);
    this.#grown = grownBytes;
  }

  /** Delivers the peer's end, once, behind the last byte of its body. */
  #deliverEnd(): void {
    if (this.#handler === undefined || this.closed || (this.#buffered?.length ?? 0) > 0) return;
    if (!this.#moveReceiving("end-delivered")) return;
    this.#handler.onEnd();
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.localEnded && this.#receiving === "delivered") this.close({ kind: "ended" });
  }
}
