import type { DialledStream } from "../../../src/client/dialled_stream.ts";
import type { Tunnel } from "../../../src/client/tunnel.ts";
import { follow, ownerOf } from "../../../src/faults/owned.ts";
import type { ByteStreamHandler } from "../../../src/streams/byte_stream.ts";

/** The client library's tunnel with its Web Streams, used as whoever has them uses them, and as a stream of bytes to the run. */
export class WebStream implements DialledStream {
  readonly #tunnel: Tunnel;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #handler: ByteStreamHandler | undefined;
  #paused: PromiseWithResolvers<void> | undefined;
  #broken: Error | undefined;

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
    this.#writer = tunnel.writable.getWriter();
    // How the tunnel ended is known by `closed`.
    this.#writer.closed.catch(() => {});
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    follow(ownerOf("tunnel"), this.#read(handler));
  }

  write(bytes: Uint8Array): boolean {
    this.#writer.write(bytes).catch(() => {});
    const more = (this.#writer.desiredSize ?? 0) > 0;
    if (!more) this.#writer.ready.then(() => this.#handler?.onDrain(), () => {});
    return more;
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  end(): void {
    this.#writer.close().catch(() => {});
  }

  close(): void {
    follow(ownerOf("tunnel"), this.#tunnel.close());
  }

  destroy(): void {
    this.#broken = new Error("dropped");
    this.#writer.abort(this.#broken).catch(() => {});
  }

  async #read(handler: ByteStreamHandler): Promise<void> {
    let error: Error | undefined;
    try {
      for await (const bytes of this.#tunnel.readable) {
        handler.onData(bytes);
        await this.#paused?.promise;
      }
      if (this.#broken === undefined) handler.onEnd();
      await this.#tunnel.closed;
    } catch (thrown) {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    }
    handler.onClose(error);
  }
}
