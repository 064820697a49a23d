import { Code, ConnectError } from "@connectrpc/connect";
import type { TLSSocket } from "node:tls";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { DirectStream, type Hello } from "./direct_stream.ts";
import type { IncomingCall, PacketService } from "./packet_service.ts";
import { keepAlive } from "./keepalive.ts";
import { withReadBackpressure } from "./tls_backpressure.ts";

/** How long a peer may take from the handshake to its hello, in milliseconds. */
const helloTimeoutMs = 20_000;

/** Options for the sockets of direct links. */
export const directSocketOptions = { noDelay: true, allowHalfOpen: true } as const;

/** What a listener says of all its direct links. */
export interface DirectLinkOptions {
  /** How long a link may be silent before it is pinged, in milliseconds; 0 or absent: never pinged. */
  readonly keepaliveTimeMs?: number;
  readonly onConnectionError: (error: Error) => void;
}

/** Makes a TLS socket whose handshake is done ready to carry a direct link. */
export function prepareDirect(socket: TLSSocket): void {
  withReadBackpressure(socket);
  socket.setNoDelay(true);
}

/** Serves a direct link: waits for the peer's hello and hands it to the service as a call. */
export function acceptDirect(socket: TLSSocket, service: PacketService, options: DirectLinkOptions): void {
  prepareDirect(socket);
  const stream = new DirectStream(socket, service.counts);
  const timer = setTimeout(
    () => stream.destroy(new ConnectError("no hello in time", Code.DeadlineExceeded)),
    helloTimeoutMs,
  );
  stream.hello.then((hello) => service.handle(new DirectCall(socket, stream, hello)), options.onConnectionError)
    .finally(() => clearTimeout(timer));
  keepAlive({
    get destroyed() {
      return socket.destroyed;
    },
    get bytesRead() {
      return socket.bytesRead;
    },
    ping: (onAnswer) => stream.ping(onAnswer),
    destroy: (error) => stream.destroy(error),
    once: (event, listener) => socket.once(event, listener),
  }, options.keepaliveTimeMs ?? 0);
}

class DirectCall implements IncomingCall {
  readonly #stream: DirectStream;
  readonly #hello: Hello;
  readonly #gone = new AbortController();

  constructor(socket: TLSSocket, stream: DirectStream, hello: Hello) {
    this.#stream = stream;
    this.#hello = hello;
    socket.once("close", () => this.#gone.abort(new ConnectError("the caller went away", Code.Canceled)));
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  metadata(key: string): readonly string[] {
    return this.#hello(key);
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    this.#stream.sendHello(metadata);
    return this.#stream;
  }

  refuse(error: ConnectError): void {
    this.#stream.end(error);
    this.#stream.resume();
  }
}
