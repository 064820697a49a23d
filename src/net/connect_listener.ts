import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ByteStream } from "../tunnel/byte_stream.ts";
import { listen, type ListenAddress, stopListening } from "./listen.ts";
import { rawRequest } from "./raw_request.ts";
import { SocketStream } from "./socket_stream.ts";
import { withReadBackpressure } from "./tls_backpressure.ts";
import { boundHandshakes, followTls, type ServerTls, tlsServerOptions } from "./tls_server.ts";

/** What a handler of the CONNECT frontend may do beyond answering: Hono's `c.env`. */
export interface ConnectBindings {
  /**
   * Set by a handler that accepts a CONNECT: called with the client's bytes once the 200 has been written. Whatever the
   * client sent behind its request comes first.
   */
  tunnel?: (client: ByteStream) => void;
}

/** A Fetch handler, such as a Hono app's `fetch`. */
export type ConnectFetch = (request: Request, bindings: ConnectBindings) => Response | Promise<Response>;

/** What a CONNECT listener serves. */
export interface ConnectListenerOptions {
  readonly address: ListenAddress;
  /** Absent: clear text, for Unix sockets. */
  readonly tls?: ServerTls;
  readonly fetch: ConnectFetch;
  /** A connection was refused, or broke before or within its request. */
  readonly onConnectionError: (error: Error) => void;
  /** How long a client may take over a request's head, in milliseconds, until it is answered 408; 60,000 if absent. */
  readonly headersTimeoutMs?: number;
}

/** An open CONNECT listener. */
export interface ConnectListener extends AsyncDisposable {
  /** With the port that was chosen. */
  readonly address: ListenAddress;
  /** Takes no new connections; tunnels run on. */
  drain(): void;
  /** Closes the listener and drops what is open. */
  close(): Promise<void>;
}

const defaultHeadersTimeoutMs = 60_000;
/** How often, at least, the runtime looks for heads that take too long. */
const maxHeadersCheckMs = 30_000;
const maxHeaderBytes = 1024 * 1024;
/** How long a refused client may keep its connection open. */
const refusedLingerMs = 5_000;

/** The one answer that opens a tunnel; kube-apiserver takes no other header and no interim response. */
const established = new TextEncoder().encode("HTTP/1.1 200 Connection Established\r\n\r\n");

/** Opens an HTTP/1.1 listener whose CONNECT requests reach `fetch` as `/<authority, percent-encoded>`. */
export async function listenConnect(options: ConnectListenerOptions): Promise<ConnectListener> {
  const server = createHttpServer(options);
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // From the first line on: an error that nobody listens for ends the process.
    socket.on("error", () => {});
  };
  let dropHandshakes = () => {};
  if (options.tls === undefined) {
    server.on("connection", track);
  } else {
    server.prependListener("secureConnection", (socket: TLSSocket) => {
      withReadBackpressure(socket);
      socket.allowHalfOpen = true;
      track(socket);
    });
    dropHandshakes = boundHandshakes(server, options.onConnectionError);
  }
  server.on("request", (message: IncomingMessage, answer: ServerResponse) => {
    void answerRequest(message, answer, options.fetch);
  });
  // A connection that never sent a request: timed out, or spoke something else. Without a listener the runtime answers.
  const refused = new WeakSet<Socket>();
  server.on("clientError", (error: Error, socket: Socket) => {
    // The runtime goes on to look at one that keeps its connection open, and finds it too slow again.
    if (refused.has(socket)) return;
    refused.add(socket);
    options.onConnectionError(error);
    if (!socket.writable) return void socket.destroy();
    socket.end(badRequest(error));
    const timer = setTimeout(() => socket.destroy(), refusedLingerMs);
    socket.once("close", () => clearTimeout(timer));
  });
  server.on("connect", (message: IncomingMessage, socket: Socket, head: Uint8Array) => {
    void answerConnect(message, socket, head, options.fetch);
  });
  const address = await listen(server, options.address);
  let closing: Promise<void> | undefined;
  const drain = () => {
    stopListening(server, address);
  };
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      stopListening(server, address, resolve);
      for (const socket of sockets) socket.destroy();
      dropHandshakes();
    });
    return closing;
  };
  return { address, drain, close, [Symbol.asyncDispose]: close };
}

function createHttpServer(options: ConnectListenerOptions): Server {
  const { tls, onConnectionError, headersTimeoutMs = defaultHeadersTimeoutMs } = options;
  const limits = {
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.min(headersTimeoutMs, maxHeadersCheckMs),
    requestTimeout: 0,
    maxHeaderSize: maxHeaderBytes,
    noDelay: true,
    // The types lack it for servers of HTTP.
    allowHalfOpen: tls === undefined,
  };
  if (tls === undefined) return createServer(limits);
  const server = createTlsServer({ ...limits, ...tlsServerOptions(tls) });
  followTls(server, tls, onConnectionError);
  return server;
}

/** What a connection that broke HTTP is told before it is closed. */
function badRequest(error: Error): string {
  const status = Reflect.get(error, "code") === "HPE_HEADER_OVERFLOW"
    ? 431
    : Reflect.get(error, "code") === "ERR_HTTP_REQUEST_TIMEOUT"
    ? 408
    : 400;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`;
}

/** Every request that is not CONNECT: the application refuses it, and the connection may go on. */
async function answerRequest(message: IncomingMessage, answer: ServerResponse, fetch: ConnectFetch): Promise<void> {
  const gone = new AbortController();
  answer.once("close", () => gone.abort(new Error("client hung up")));
  const path = message.url?.startsWith("/") === true ? message.url : "/";
  const response = await fetched(fetch, rawRequest(message, `http://connect${path}`, gone.signal), {});
  const body = await response.text();
  answer.writeHead(response.status, Object.fromEntries(response.headers));
  answer.end(body);
}

async function fetched(fetch: ConnectFetch, request: Request, bindings: ConnectBindings): Promise<Response> {
  try {
    return await fetch(request, bindings);
  } catch (error) {
    return new Response(`${error instanceof Error ? error.message : String(error)}\n`, { status: 500 });
  }
}

async function answerConnect(
  message: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
  fetch: ConnectFetch,
): Promise<void> {
  const gone = new AbortController();
  const stream = new SocketStream(socket, head, () => {
    gone.abort(new Error("client hung up"));
    socket.destroy();
  });
  const bindings: ConnectBindings = {};
  const url = `http://connect/${encodeURIComponent(message.url ?? "")}`;
  const response = await fetched(fetch, rawRequest(message, url, gone.signal), bindings);
  // A client that is gone is handed on all the same: the tunnel learns of it as of any other close.
  if (response.ok && bindings.tunnel !== undefined) {
    stream.write(established);
    bindings.tunnel(stream);
    return;
  }
  const body = await response.text();
  response.headers.set("content-length", String(new TextEncoder().encode(body).length));
  response.headers.set("connection", "close");
  let answer = `HTTP/1.1 ${response.status} ${response.statusText || (STATUS_CODES[response.status] ?? "")}\r\n`;
  for (const [name, value] of response.headers) answer += `${name}: ${value}\r\n`;
  stream.write(new TextEncoder().encode(`${answer}\r\n${body}`));
  discard(stream);
}

/** Ends a refused connection: what the client still sends is read and dropped, so that it sees the answer and no reset. */
function discard(stream: ByteStream): void {
  const timer = setTimeout(() => stream.destroy(), refusedLingerMs);
  stream.start({
    onData: () => {},
    onDrain: () => {},
    onEnd: () => {},
    onClose: () => clearTimeout(timer),
  });
  stream.end();
}
