import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { reportFault } from "../../faults/fault.ts";
import { connectionOwner, follow, guard, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ByteStream } from "../../streams/byte_stream.ts";
import type { PeerAdmission } from "../edge/admission.ts";
import { maxRequestHeaders, requestFaultOf } from "../edge/request_fault.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { listen, type ListenAddress, stopListening } from "../tcp/listen.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { closingAnswer, RefusedClient, RefusedClients } from "../edge/refused_client.ts";
import { rawRequest } from "./raw_request.ts";
import { peerReader } from "../tcp/socket_peer.ts";
import { SocketStream } from "../tcp/socket_stream.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";
import { boundHandshakes, followTls, type ServerTls, tlsServerOptions } from "../tls/tls_server.ts";

/** What a handler of the CONNECT frontend may do beyond answering: Hono's `c.env`. */
export interface ConnectBindings {
  /** Who asks, by what the connection proves. */
  readonly peer: PeerIdentity;
  /** Names and values of the request's headers by turns: a Headers object of each dial costs more than it is read for. */
  readonly rawHeaders: readonly string[];
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
  readonly clock: Clock;
  /** Absent: clear text, for Unix sockets. */
  readonly tls?: ServerTls;
  readonly fetch: ConnectFetch;
  readonly admission?: PeerAdmission;
  /** A connection was refused, broke before or within its request, or reached a bound. */
  readonly onConnectionError: (error: Error) => void;
  /** How long a client may take over a request's head, in milliseconds, until it is answered 408; absent: `edgeLimits`. */
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

/** How often, at least, the runtime looks for heads that take too long. */
const maxHeadersCheckMs = 5_000;

/** The one answer that opens a tunnel; kube-apiserver takes no other header and no interim response. */
const established = new TextEncoder().encode("HTTP/1.1 200 Connection Established\r\n\r\n");

/** Opens an HTTP/1.1 listener whose CONNECT requests reach `fetch` as `/<authority, percent-encoded>`. */
export async function listenConnect(options: ConnectListenerOptions): Promise<ConnectListener> {
  const server = createHttpServer(options);
  const readPeer = peerReader(options);
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // From the first line on: an error that nobody listens for ends the process.
    socket.on("error", () => {});
  };
  let dropHandshakes = () => {};
  if (options.tls === undefined) {
    server.on("connection", ownedBy(connectionOwner, track));
  } else {
    server.prependListener(
      "secureConnection",
      ownedBy(connectionOwner, (socket: TLSSocket) => {
        withReadBackpressure(socket);
        socket.allowHalfOpen = true;
        track(socket);
      }),
    );
    dropHandshakes = boundHandshakes(server, options.onConnectionError);
  }
  const requestOwner = ({ socket }: IncomingMessage) => ownerOf("request", () => socket.destroy());
  const refused = new RefusedClients(options.clock, options.onConnectionError);
  const onRequest = ownedBy(requestOwner, (message: IncomingMessage) => {
    const client = refused.refuse(message.socket, message);
    if (client === undefined) return;
    follow(requestOwner(message), refuseRequest(message, client, readPeer(message.socket), options.fetch));
  });
  server.on("request", onRequest);
  // Without a listener the runtime asks for a body that nobody wants, or answers by itself and reads on.
  for (const event of ["checkContinue", "checkExpectation"]) server.on(event, onRequest);
  // A connection that never sent a request: timed out, or spoke something else. Without a listener the runtime answers.
  const fail = (error: Error, socket: Socket) => {
    // Handshakes that failed are no affair of HTTP.
    const client = sockets.has(socket) ? refused.refuse(socket) : undefined;
    if (client === undefined) return;
    options.onConnectionError(edgeError(error));
    client.answer(badRequest(error));
  };
  server.on("clientError", (error: Error, socket: Socket) => {
    guard(connectionOwner(socket), () => fail(error, socket));
  });
  const onConnect = (message: IncomingMessage, socket: Socket, head: Uint8Array) => {
    // A request behind one that was refused is not looked at.
    if (refused.has(socket)) return;
    const fetch = options.admission?.isRefused(socket) === true ? refuseForDescriptors : options.fetch;
    const peer = readPeer(socket);
    follow(connectionOwner(socket), answerConnect(message, socket, head, peer, fetch, options));
  };
  server.on("connect", ownedBy(requestOwner, onConnect));
  const address = await listen(server, options.address, options.admission);
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
  const { tls, onConnectionError, headersTimeoutMs = edgeLimits.requestHeadTimeoutMs } = options;
  const limits = {
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.min(headersTimeoutMs, maxHeadersCheckMs),
    requestTimeout: 0,
    maxHeaderSize: edgeLimits.requestHeadBytes,
    noDelay: true,
    // requestFaultOf says what a request needs. The runtime would answer by itself, and then answer what follows, too.
    requireHostHeader: false,
    // The types lack it for servers of HTTP.
    allowHalfOpen: tls === undefined,
  };
  if (tls === undefined) return bounded(createServer(limits));
  const server = bounded(createTlsServer({ ...limits, ...tlsServerOptions(tls) }));
  followTls(server, tls, options.clock, onConnectionError);
  return server;
}

/** Has the parser keep as many headers as show that there are too many. */
function bounded<AnyServer extends Server>(server: AnyServer): AnyServer {
  server.maxHeadersCount = maxRequestHeaders + 1;
  return server;
}

/** The error of a connection whose head was too large, or did not come in time. */
function edgeError(error: Error): Error {
  const status = statusFor(error);
  if (status === 400) return error;
  return new EdgeError(status === 431 ? "bad_request" : "slow_start", error.message, { cause: error });
}

/** The answer to a connection that broke HTTP, before it is closed. */
function badRequest(error: Error): string {
  const status = statusFor(error);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`;
}

function statusFor(error: Error): number {
  const code: unknown = Reflect.get(error, "code");
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}

function refuseForDescriptors(): Response {
  return new Response("proxy server has no file descriptors left for clients\n", { status: 503 });
}

/** Every request that is not CONNECT: it is refused, and ends its connection. */
async function refuseRequest(
  message: IncomingMessage,
  client: RefusedClient,
  peer: PeerIdentity,
  fetch: ConnectFetch,
): Promise<void> {
  const { method, url, socket, rawHeaders } = message;
  const gone = new AbortController();
  socket.once("close", owned(ownerOf("request"), () => gone.abort(new Error("client hung up"))));
  const path = url?.startsWith("/") === true ? url : "/";
  const response = faultAnswer(message) ??
    await fetched(fetch, rawRequest(message, `http://connect${path}`, gone.signal), { peer, rawHeaders });
  client.answer(await closingAnswer(response, method));
}

/** The answer to a request that must not be served as it stands. */
function faultAnswer(message: IncomingMessage): Response | undefined {
  const fault = requestFaultOf(message);
  if (fault === undefined) return undefined;
  return new Response(`${fault.reason}\n`, { status: fault.status, headers: { "content-type": "text/plain" } });
}

async function fetched(fetch: ConnectFetch, request: Request, bindings: ConnectBindings): Promise<Response> {
  try {
    return await fetch(request, bindings);
  } catch (error) {
    reportFault("request", error);
    return new Response("internal error of the proxy server\n", { status: 500 });
  }
}

async function answerConnect(
  message: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
  peer: PeerIdentity,
  fetch: ConnectFetch,
  { clock, onConnectionError }: ConnectListenerOptions,
): Promise<void> {
  let response = faultAnswer(message);
  if (response === undefined) {
    const gone = new AbortController();
    const stream = new SocketStream(socket, head, () => {
      gone.abort(new Error("client hung up"));
      socket.destroy();
    });
    const bindings: ConnectBindings = { peer, rawHeaders: message.rawHeaders };
    const url = `http://connect/${encodeURIComponent(message.url ?? "")}`;
    response = await fetched(fetch, rawRequest(message, url, gone.signal), bindings);
    // A client that is gone is handed on all the same: the tunnel learns of it as of any other close.
    if (response.ok && bindings.tunnel !== undefined) {
      stream.write(established);
      bindings.tunnel(stream);
      return;
    }
  }
  new RefusedClient(socket, clock, onConnectionError).answer(await closingAnswer(response, message.method));
}
