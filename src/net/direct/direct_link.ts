import { Code, ConnectError } from "@connectrpc/connect";
import type { TLSSocket } from "node:tls";
import { fault } from "../../faults/fault.ts";
import { owned } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import { DirectStream, type Hello } from "./direct_stream.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { IncomingCall, PacketService } from "../call/packet_service.ts";
import { keepAlive } from "../http2/keepalive.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";

/** Options for the sockets of direct links. */
export const directSocketOptions = { noDelay: true, allowHalfOpen: true } as const;

/** What a listener says of all its direct links. */
export interface DirectLinkOptions {
  readonly clock: Clock;
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
export function acceptDirect(
  socket: TLSSocket,
  peer: PeerIdentity,
  service: PacketService,
  options: DirectLinkOptions,
): void {
  prepareDirect(socket);
  const stream = new DirectStream(socket, service.counts, options.clock);
  const { clock } = options;
  const patience = clock.after(edgeLimits.linkHelloTimeoutMs, () => {
    stream.destroy(new EdgeError("slow_start", `no hello in ${edgeLimits.linkHelloTimeoutMs} ms`));
  }, stream);
  stream.hello
    .finally(() => patience.cancel())
    .then((hello) => service.handle(new DirectCall(socket, stream, hello, peer)), options.onConnectionError)
    .catch((error) => fault(stream, error));
  keepAlive(
    {
      get destroyed() {
        return socket.destroyed;
      },
      get bytesRead() {
        return socket.bytesRead;
      },
      ping: (onAnswer) => stream.ping(onAnswer),
      destroy: (error) => stream.destroy(error),
      once: (event, listener) => socket.once(event, listener),
    },
    options.keepaliveTimeMs ?? 0,
    clock,
  );
}

class DirectCall implements IncomingCall {
  readonly peer: PeerIdentity;
  readonly #stream: DirectStream;
  readonly #hello: Hello;
  readonly #gone = new AbortController();

  constructor(socket: TLSSocket, stream: DirectStream, hello: Hello, peer: PeerIdentity) {
    this.peer = peer;
    this.#stream = stream;
    this.#hello = hello;
    const gone = () => this.#gone.abort(new ConnectError("the caller went away", Code.Canceled));
    socket.once("close", owned(stream, gone));
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
