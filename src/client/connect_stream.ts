import type { ByteStream, ByteStreamHandler } from "../streams/byte_stream.ts";
import type { DialledStream } from "./dialled_stream.ts";
import { ProxyError } from "./proxy_error.ts";

/** The socket of an accepted CONNECT: the tunnel's bytes are its bytes. */
export class ConnectStream implements DialledStream {
  readonly #socket: ByteStream;
  #closing = false;
  #peerEnded = false;

  constructor(socket: ByteStream) {
    this.#socket = socket;
  }

  start(handler: ByteStreamHandler): void {
    this.#socket.start({
      onData: (bytes) => {
        if (!this.#closing) handler.onData(bytes);
      },
      onDrain: () => handler.onDrain(),
      onEnd: () => {
        this.#peerEnded = true;
        handler.onEnd();
      },
      onClose: (error) => handler.onClose(this.#outcome(error)),
    });
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  pause(): void {
    if (!this.#closing) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  /**
   * Ends this side and reads on until the proxy has ended its own: a socket that is closed while bytes come in is reset
   * by the system, and with it goes what was written last.
   */
  close(): void {
    this.#closing = true;
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** A proxy has no other way than a reset to say that the destination's connection broke. */
  #outcome(error: Error | undefined): ProxyError | undefined {
    if (error !== undefined) {
      return new ProxyError("connection-broken", `tunnel broke: ${error.message}`, { cause: error });
    }
    return this.#peerEnded ? undefined : new ProxyError("tunnel-closed", "connection to the proxy was lost");
  }
}
