import { Code, ConnectError } from "@connectrpc/connect";
import { constants, createSecureServer, createServer } from "node:http2";
import type {
  Http2SecureServer,
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from "node:http2";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { linkProtocol } from "../wire/link_frame.ts";
import { ServerGrpcStream, statusTrailers, type StreamCounts, valuesOf } from "./grpc_stream.ts";
import { endLater } from "./http2_guard.ts";
import { connectionWindowBytes, http2Settings } from "./http2_settings.ts";
import { keepAlive, type Pingable } from "./keepalive.ts";
import { acceptDirect, directSocketOptions } from "./direct_link.ts";
import type { IncomingCall, PacketService } from "./packet_service.ts";
import { listen, type ListenAddress, stopListening } from "./listen.ts";
import { boundHandshakes, followTls, type ServerTls, tlsServerOptions } from "./tls_server.ts";

/** What a gRPC listener serves. */
export interface GrpcListenerOptions {
  readonly address: ListenAddress;
  /** Absent: clear text (HTTP/2 with prior knowledge), for Unix sockets. */
  readonly tls?: ServerTls;
  readonly services: readonly PacketService[];
  /** The service that peers reach over a direct link, where both sides offer it by ALPN; only with `tls`. */
  readonly directService?: PacketService;
  /** Serves every request that is not a packet stream. */
  readonly router: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  /** How long a connection may be silent before it is pinged, in milliseconds; 0 or absent: never pinged. */
  readonly keepaliveTimeMs?: number;
  /** A connection was refused or broke before any call. */
  readonly onConnectionError: (error: Error) => void;
}

/** An open gRPC listener. */
export interface GrpcListener extends AsyncDisposable {
  /** With the port that was chosen. */
  readonly address: ListenAddress;
  /** Takes no new connections and streams; those that are open run on. */
  drain(): void;
  /** Closes the listener and drops what is open. */
  close(): Promise<void>;
}

/** Opens an HTTP/2 listener for packet services and, behind them, whatever the router serves. */
export async function listenGrpc(options: GrpcListenerOptions): Promise<GrpcListener> {
  const services = new Map(options.services.map((service) => [service.path, service]));
  const { server, http2, links } = createServers(options);
  // Never listens: it turns the streams handed to it into requests for the router.
  const fallback = createServer(options.router);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session: ServerHttp2Session) => {
    endLater(session);
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", options.onConnectionError);
    session.setLocalWindowSize(connectionWindowBytes);
    keepAlive(pingable(session), options.keepaliveTimeMs ?? 0);
  });
  http2.on("sessionError", options.onConnectionError);
  const dropHandshakes = options.tls === undefined ? () => {} : boundHandshakes(server, options.onConnectionError);
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: string[]) => {
    // Without a listener an aborted stream would end the process.
    stream.on("error", () => {});
    const service = services.get(headers[":path"] ?? "");
    if (service !== undefined && isGrpc(headers)) service.handle(new Http2Call(stream, raw, service.counts));
    else fallback.emit("stream", stream, headers, flags, raw);
  });
  const address = await listen(server, options.address);
  let closing: Promise<void> | undefined;
  const drain = () => {
    stopListening(server, address);
    for (const session of sessions) session.close();
  };
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      stopListening(server, address, resolve);
      for (const session of sessions) session.destroy();
      for (const link of links) link.destroy();
      dropHandshakes();
    });
    return closing;
  };
  return { address, drain, close, [Symbol.asyncDispose]: close };
}

function pingable(session: ServerHttp2Session): Pingable {
  return {
    get destroyed() {
      return session.destroyed;
    },
    get bytesRead() {
      return session.destroyed ? 0 : session.socket.bytesRead;
    },
    ping: (onAnswer) => session.ping(onAnswer),
    destroy: (error) => session.destroy(error),
    once: (event, listener) => session.once(event, listener),
  };
}

/** What listens, what speaks HTTP/2 (the same, unless direct links are offered beside it), and the open direct links. */
interface Servers {
  readonly server: Server;
  readonly http2: Http2Server | Http2SecureServer;
  readonly links: ReadonlySet<Socket>;
}

function createServers(options: GrpcListenerOptions): Servers {
  const { tls, directService } = options;
  const links = new Set<Socket>();
  if (tls === undefined) {
    const server = createServer({ settings: http2Settings });
    return { server, http2: server, links };
  }
  if (directService === undefined) {
    const server = createSecureServer({ ...tlsServerOptions(tls), settings: http2Settings });
    followTls(server, tls, options.onConnectionError);
    return { server, http2: server, links };
  }
  const http2 = createServer({ settings: http2Settings });
  const server = createTlsServer({
    ...tlsServerOptions(tls),
    ...directSocketOptions,
    allowHalfOpen: false,
    ALPNProtocols: [linkProtocol, "h2"],
  });
  followTls(server, tls, options.onConnectionError);
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.destroyed) return;
    // HTTP/2 has no half-open connections: where the socket stays open, the session never learns that its peer left.
    if (socket.alpnProtocol !== linkProtocol) return void http2.emit("connection", socket);
    socket.allowHalfOpen = true;
    links.add(socket);
    socket.once("close", () => links.delete(socket));
    acceptDirect(socket, directService, options);
  });
  return { server, http2, links };
}

/** `application/grpc` and its protobuf form; grpc-web and every other content type belong to the router. */
function isGrpc(headers: IncomingHttpHeaders): boolean {
  if (headers[":method"] !== "POST") return false;
  const type = headers["content-type"] ?? "";
  return type === "application/grpc" || type === "application/grpc+proto" || type.startsWith("application/grpc;");
}

class Http2Call implements IncomingCall {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: readonly string[];
  readonly #counts: StreamCounts | undefined;
  readonly #gone = new AbortController();

  constructor(stream: ServerHttp2Stream, headers: readonly string[], counts: StreamCounts | undefined) {
    this.#stream = stream;
    this.#headers = headers;
    this.#counts = counts;
    stream.once("close", () => this.#gone.abort(new ConnectError("the caller went away", Code.Canceled)));
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  metadata(key: string): readonly string[] {
    return valuesOf(this.#headers, key);
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    return new ServerGrpcStream(this.#stream, metadata, this.#counts);
  }

  refuse(error: ConnectError): void {
    if (this.#stream.destroyed) return;
    this.#stream.respond({ ":status": 200, "content-type": "application/grpc", ...statusTrailers(error) }, {
      endStream: true,
    });
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }
}
