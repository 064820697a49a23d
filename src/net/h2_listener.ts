import { Code, ConnectError } from "@connectrpc/connect";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { H2Error, H2Handler, H2Options } from "../h2/connection.ts";
import { h2Code } from "../h2/frame.ts";
import type { RequestHeaders } from "../h2/request_headers.ts";
import type { H2Stream } from "../h2/stream.ts";
import { timeLimit } from "../time/time_limit.ts";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { linkProtocol } from "../wire/link_frame.ts";
import { acceptDirect, directSocketOptions } from "./direct_link.ts";
import type { GrpcListener, GrpcListenerOptions } from "./grpc_listener.ts";
import type { IncomingCall, PacketService } from "./packet_service.ts";
import type { StreamCounts } from "./grpc_stream.ts";
import { H2Bridge } from "./h2_bridge.ts";
import { H2PacketStream, refusalHeaders } from "./h2_packet_stream.ts";
import { H2Socket } from "./h2_socket.ts";
import { connectionWindowBytes, http2Settings } from "./http2_settings.ts";
import { keepAlive } from "./keepalive.ts";
import { listen, stopListening } from "./listen.ts";
import { boundHandshakes, followTls, tlsServerOptions } from "./tls_server.ts";

/** How long a connection may take to begin with HTTP/2, in milliseconds. */
const beginLimitMs = 10_000;

const h2Options: H2Options = {
  streamWindowBytes: http2Settings.initialWindowSize,
  connectionWindowBytes,
  maxConcurrentStreams: http2Settings.maxConcurrentStreams,
  now: () => performance.now(),
};

/**
 * Opens a listener like `listenGrpc`, on an HTTP/2 of our own: packet services run on it directly, every other request
 * reaches the router over node:http2.
 */
export async function listenGrpcOwn(options: GrpcListenerOptions): Promise<GrpcListener> {
  const services = new Map(options.services.map((service) => [service.path, service]));
  const bridge = new H2Bridge(options.router);
  const links = new Set<H2Link>();
  const direct = new Set<Socket>();
  const server = createSocketServer(options, direct, (socket) => {
    const link = new H2Link(socket, services, bridge, options);
    links.add(link);
    socket.once("close", () => links.delete(link));
  });
  const dropHandshakes = options.tls === undefined ? () => {} : boundHandshakes(server, options.onConnectionError);
  const address = await listen(server, options.address);
  let closing: Promise<void> | undefined;
  const drain = () => {
    stopListening(server, address);
    for (const link of links) link.drain();
  };
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      stopListening(server, address, resolve);
      for (const link of links) link.destroy();
      for (const socket of direct) socket.destroy();
      dropHandshakes();
      bridge.close();
    });
    return closing;
  };
  return { address, drain, close, [Symbol.asyncDispose]: close };
}

/** What listens: with TLS, ALPN decides between HTTP/2 and, where it is offered, a direct link. */
function createSocketServer(
  options: GrpcListenerOptions,
  direct: Set<Socket>,
  onHttp2: (socket: Socket) => void,
): Server {
  const { tls, directService } = options;
  if (tls === undefined) return createServer({ noDelay: true }, onHttp2);
  const server = createTlsServer({
    ...tlsServerOptions(tls),
    ...directSocketOptions,
    allowHalfOpen: false,
    ALPNProtocols: directService === undefined ? ["h2"] : [linkProtocol, "h2"],
  });
  followTls(server, tls, options.onConnectionError);
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.destroyed) return;
    socket.allowHalfOpen = true;
    if (socket.alpnProtocol === "h2") return onHttp2(socket);
    if (socket.alpnProtocol === linkProtocol && directService !== undefined) {
      direct.add(socket);
      socket.once("close", () => direct.delete(socket));
      return acceptDirect(socket, directService, options);
    }
    socket.on("error", () => {});
    socket.destroy();
    options.onConnectionError(new Error("client did not offer HTTP/2 (ALPN h2)"));
  });
  return server;
}

/** One client's connection. */
class H2Link implements H2Handler {
  readonly #socket: H2Socket;
  readonly #services: ReadonlyMap<string, PacketService>;
  readonly #bridge: H2Bridge;
  readonly #onConnectionError: (error: Error) => void;

  constructor(
    socket: Socket,
    services: ReadonlyMap<string, PacketService>,
    bridge: H2Bridge,
    options: GrpcListenerOptions,
  ) {
    this.#services = services;
    this.#bridge = bridge;
    this.#onConnectionError = options.onConnectionError;
    const http2 = new H2Socket(socket, this, h2Options);
    this.#socket = http2;
    const begin = timeLimit(beginLimitMs, () => this.#begun());
    socket.once("close", () => begin.lift());
    keepAlive({
      get destroyed() {
        return socket.destroyed;
      },
      get bytesRead() {
        return socket.bytesRead;
      },
      ping: (onAnswer) => http2.connection.ping(onAnswer),
      destroy: (error) => socket.destroy(error),
      once: (event, listener) => socket.once(event, listener),
    }, options.keepaliveTimeMs ?? 0);
  }

  drain(): void {
    this.#socket.connection.drain();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // ---- H2Handler ----

  onRequest(stream: H2Stream, headers: RequestHeaders): void {
    const service = this.#services.get(headers.get(":path"));
    if (service !== undefined && isGrpc(headers)) service.handle(new H2Call(stream, headers, service.counts));
    else this.#bridge.handle(stream, headers);
  }

  onClose(error: H2Error | undefined): void {
    if (error !== undefined && error.code !== h2Code.connectError) this.#onConnectionError(error);
  }

  /** A connection that says nothing, or nothing that is HTTP/2, is not kept. */
  #begun(): void {
    const { connection } = this.#socket;
    if (!connection.begun) connection.close(h2Code.settingsTimeout, `no HTTP/2 in ${beginLimitMs} ms`);
  }
}

/** `application/grpc` and its protobuf form; grpc-web and every other content type belong to the router. */
function isGrpc(headers: RequestHeaders): boolean {
  if (headers.get(":method") !== "POST") return false;
  const type = headers.get("content-type");
  return type === "application/grpc" || type === "application/grpc+proto" || type.startsWith("application/grpc;");
}

class H2Call implements IncomingCall {
  readonly #stream: H2Stream;
  readonly #headers: RequestHeaders;
  readonly #counts: StreamCounts | undefined;
  #gone: AbortController | undefined;

  constructor(stream: H2Stream, headers: RequestHeaders, counts: StreamCounts | undefined) {
    this.#stream = stream;
    this.#headers = headers;
    this.#counts = counts;
  }

  /** Made when it is asked for: most calls are answered at once. */
  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController();
      this.#gone = gone;
      this.#stream.onGone(() => gone.abort(new ConnectError("the caller went away", Code.Canceled)));
    }
    return this.#gone.signal;
  }

  metadata(key: string): readonly string[] {
    return this.#headers.all(key);
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    return new H2PacketStream(this.#stream, metadata, this.#counts);
  }

  refuse(error: ConnectError): void {
    this.#stream.respond(refusalHeaders(error), true);
    this.#stream.reset(h2Code.noError);
  }
}
