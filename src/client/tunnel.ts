import type { Owner } from "../faults/fault.ts";
import { follow, owned } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ByteStreamHandler } from "../streams/byte_stream.ts";
import type { DialledStream } from "./dialled_stream.ts";
import { ProxyError } from "./proxy_error.ts";

/**
 * A connection to a destination, through the proxy. Whoever dialled it must end it, best by `await using`.
 *
 * Both streams push back: `readable` holds at most some 256 KiB before the sender is stopped, and a write to `writable`
 * is done when the proxy's connection has taken the bytes. A tunnel that ends in an error errors both streams, so that a
 * cut-off transfer never looks like a complete one.
 */
export interface Tunnel extends AsyncDisposable {
  /** host:port that was dialled. */
  readonly address: string;
  /**
   * Bytes from the destination: a byte stream, whose chunks belong to the reader. It ends when the destination ends its
   * side. Cancelling it drops what still comes.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Bytes for the destination, in chunks of any size. Closing it ends this side: the destination sees the end and may
   * still answer. Over gRPC that takes a proxy with half-close; with one of the original the destination sees nothing, and
   * reading goes on until it ends the tunnel. Aborting it drops the whole tunnel at once.
   */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Fulfilled when the tunnel ended in order; rejects with a {@link ProxyError} when it broke. Both sides have to end it,
   * so that a tunnel whose destination has ended still waits for this side; with a gRPC proxy of the original either does.
   */
  readonly closed: Promise<void>;
  /**
   * Ends the tunnel in order: bytes that were written still go out, bytes that were not read yet can still be read, new
   * ones are dropped. Resolves when the proxy has confirmed, or at the latest after 10 seconds; {@link closed} says
   * which. Never rejects; further calls wait for the same end.
   */
  close(): Promise<void>;
}

/** Bytes that each direction holds at most before it pushes back, beside what the network holds. */
const bufferBytes = 256 * 1024;

/** Bytes that are copied and written at a time. */
const pieceBytes = 64 * 1024;

/** A dialled stream as Web Streams. */
export class WebTunnel implements Tunnel, ByteStreamHandler, Owner {
  readonly place = "tunnel";
  readonly address: string;
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed: Promise<void>;
  readonly #bytes: DialledStream;
  readonly #closeTimeoutMs: number;
  readonly #clock: Clock;
  readonly #closed = Promise.withResolvers<void>();
  readonly #readableController: ReadableByteStreamController;
  readonly #writableController: WritableStreamDefaultController;
  /** Nobody takes incoming bytes any more: the readable is cancelled, ended or in error. */
  #readableDone = false;
  #writableDone = false;
  /** Set once the stream below is gone. */
  #ended = false;
  #paused = false;
  /** Bytes handed to `writable` that the stream below has not taken yet. */
  #unwrittenBytes = 0;
  /** What goes on when the stream below takes bytes again, or has none left to take, or is gone. */
  #drained: PromiseWithResolvers<void> | undefined;
  #flushed: PromiseWithResolvers<void> | undefined;
  #closing: Promise<void> | undefined;
  /** What a write meets once nothing can be written any more. */
  #writeError: Error | undefined;
  /** The error that the tunnel ends with when this side ends it by force. */
  #ownError: ProxyError | undefined;

  /** @param closeTimeoutMs how long {@link close} waits for what is unwritten, and then for the proxy */
  constructor(address: string, bytes: DialledStream, closeTimeoutMs: number, clock: Clock) {
    this.address = address;
    this.#bytes = bytes;
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#clock = clock;
    this.closed = this.#closed.promise;
    // A caller that does not ask how the tunnel ended must not meet it as an unhandled rejection.
    this.closed.catch(() => {});
    const controllers: { read?: ReadableByteStreamController; write?: WritableStreamDefaultController } = {};
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        controllers.read = controller;
      },
      pull: () => this.#resume(),
      cancel: () => this.#cancelRead(),
    }, { highWaterMark: bufferBytes });
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        controllers.write = controller;
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#endWrite(),
    }, { highWaterMark: bufferBytes, size: (chunk) => this.#accept(chunk) });
    const { read, write } = controllers;
    if (read === undefined || write === undefined) throw new Error("a stream's start runs within its constructor");
    this.#readableController = read;
    this.#writableController = write;
    write.signal.addEventListener("abort", owned(this, () => this.#drop(write.signal.reason)));
    bytes.start(this);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Bytes that this side holds for the destination, and that the caller has not read yet. */
  get queuedBytes(): { readonly toDestination: number; readonly toCaller: number } {
    const room = this.#readableDone ? bufferBytes : this.#readableController.desiredSize ?? bufferBytes;
    return { toDestination: this.#unwrittenBytes, toCaller: bufferBytes - room };
  }

  /** {@link Owner}: what throws ends this tunnel alone. */
  faulted(error: Error): void {
    this.#destroy(new ProxyError("tunnel-closed", `internal error: ${error.message}`, { cause: error }));
  }

  // ---- ByteStreamHandler: from the proxy ----

  onData(bytes: Uint8Array): void {
    if (this.#readableDone) return;
    // A copy, because a byte stream gives its buffers away, while `bytes` shares one with what follows it.
    this.#readableController.enqueue(new Uint8Array(bytes));
    if ((this.#readableController.desiredSize ?? 0) > 0) return;
    this.#paused = true;
    this.#bytes.pause();
  }

  onDrain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  onEnd(): void {
    this.#endRead(undefined);
  }

  onClose(reason: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const error = this.#ownError ?? reason;
    this.#endRead(error);
    this.#failWrite(error ?? new ProxyError("tunnel-closed", `tunnel to ${this.address} is closed`));
    this.onDrain();
    this.#flushed?.resolve();
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  // ---- readable ----

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#bytes.resume();
  }

  #cancelRead(): void {
    this.#readableDone = true;
    this.#resume();
    if (this.#writableDone) follow(this, this.close());
  }

  #endRead(error: Error | undefined): void {
    if (this.#readableDone) return;
    this.#readableDone = true;
    const controller = this.#readableController;
    if (error !== undefined) return controller.error(error);
    controller.close();
    // A read that waits with the caller's own buffer learns of the end only this way.
    controller.byobRequest?.respond(0);
  }

  // ---- writable ----

  /** The size of a chunk that is queued. Throws, and so fails the write, when it is none. */
  #accept(chunk: unknown): number {
    if (!(chunk instanceof Uint8Array)) {
      const error = new TypeError("a tunnel takes chunks of type Uint8Array only");
      // Later, so that the write itself fails with this error.
      queueMicrotask(owned(this, () => this.#drop(error)));
      throw error;
    }
    this.#unwrittenBytes += chunk.length;
    return chunk.length;
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      // A copy: the caller may use its buffer again once the write is done, while the bytes may still wait below.
      const piece = new Uint8Array(chunk.subarray(at, at + pieceBytes));
      const more = this.#bytes.write(piece);
      if (!more && !this.#ended) await (this.#drained ??= Promise.withResolvers()).promise;
      if (this.#ended) throw this.#writeError;
    }
    this.#unwrittenBytes -= chunk.length;
    if (this.#unwrittenBytes === 0) this.#flushed?.resolve();
  }

  #endWrite(): void {
    this.#writableDone = true;
    if (this.#ended) return;
    this.#bytes.end();
    if (this.#readableDone) follow(this, this.close());
  }

  #failWrite(error: Error): void {
    this.#writeError ??= error;
    if (this.#writableDone) return;
    this.#writableDone = true;
    this.#writableController.error(error);
  }

  /** The caller aborted the writable: the whole tunnel goes, unsent bytes with it. */
  #drop(reason: unknown): void {
    // The abort itself errors the writable, with the caller's reason.
    this.#writableDone = true;
    this.#destroy(new ProxyError("cancelled", `tunnel to ${this.address} was aborted`, { cause: reason }));
  }

  // ---- the end ----

  async #close(): Promise<void> {
    const giveUp = () => {
      const seconds = this.#closeTimeoutMs / 1000;
      this.#destroy(
        new ProxyError("close-timeout", `close timeout: no end of the tunnel to ${this.address} in ${seconds} s`),
      );
    };
    const patience = this.#clock.after(this.#closeTimeoutMs, giveUp, this);
    try {
      // Reading first: a destination that waits for its own bytes to be taken would not take ours.
      this.#endRead(undefined);
      this.#resume();
      if (this.#unwrittenBytes > 0 && !this.#ended) {
        this.#flushed = Promise.withResolvers();
        await this.#flushed.promise;
      }
      this.#failWrite(new ProxyError("tunnel-closed", `tunnel to ${this.address} was closed`));
      if (!this.#ended) this.#bytes.close();
      await this.closed.catch(() => {});
    } finally {
      patience.cancel();
    }
  }

  #destroy(error: ProxyError): void {
    if (this.#ended) return;
    this.#ownError ??= error;
    this.#bytes.destroy();
    // The stream below reports its end by itself; one that is stuck must not keep the caller waiting.
    this.onClose(error);
  }
}
