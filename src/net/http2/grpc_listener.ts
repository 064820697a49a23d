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
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import type { Owner } from "../../faults/fault.ts";
import { connectionOwner, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import { FloodBudget } from "../../h2/flood_budget.ts";
import type { Clock } from "../../runtime/clock.ts";
import { linkProtocol } from "../../wire/link_frame.ts";
import { FairReader } from "../../runtime/fair_reading.ts";
import { endLater } from "../../runtime/http/http2_guard.ts";
import type { GrowthBudget } from "../../streams/growth_budget.ts";
import { connectionWindowBytes, http2Settings } from "./http2_settings.ts";
import { keepAlive, type Pingable } from "./keepalive.ts";
import { acceptDirect, directSocketOptions } from "../direct/direct_link.ts";
import { CallBudget, type CallRefusal, type ConnectionBudget, tooManyCalls } from "../call/call_budget.ts";
import { type CallTable, routeCall } from "../call/call_route.ts";
import { EdgeError } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { answerPage, Http2Call, refuse } from "./http2_call.ts";
import { Http2MessageCall } from "./http2_message_call.ts";
import type { MessageService } from "../call/message_service.ts";
import type { PacketService } from "../call/packet_service.ts";
import { requestOwner } from "./h2_bridge.ts";
import type { Admission } from "../edge/accepting.ts";
import { listen, type ListenAddress, stopListening } from "../tcp/listen.ts";
import { setStreamPeer } from "../call/request_peer.ts";
import { type PeerReader, peerReader, settledPeer } from "../tcp/socket_peer.ts";
import { boundHandshakes, followTls, type ServerTls, tlsServerOptions } from "../tls/tls_server.ts";

/** What a gRPC listener serves. */
export interface GrpcListenerOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  /** Absent: clear text (HTTP/2 with prior knowledge), for Unix sockets. */
  readonly tls?: ServerTls;
  readonly admission?: Admission;
  readonly services: readonly PacketService[];
  /** The service that peers reach over a direct link, where both sides offer it by ALPN; only with `tls`. */
  readonly directService?: PacketService;
  /** Serves every request that is not a packet stream. */
  readonly router: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  /** What the windows of HTTP/2 of our own may grow by, with all other windows of the process; absent: nothing. */
  readonly growth?: GrowthBudget;
  /** How long a connection may be silent before it is pinged, in milliseconds; 0 or absent: never pinged. */
  readonly keepaliveTimeMs?: number;
  /** What a peer may send ahead on each stream, in bytes; absent: the default. */
  readonly streamWindowBytes?: number | undefined;
  /** Methods with one small request, served without the router. */
  readonly messages?: readonly MessageService[];
  /** Paths that the router serves; absent: it answers every request that is nobody else's. */
  readonly routed?: ReadonlySet<string>;
  /** A call was refused because its connection, or the listener, has too many of its kind. */
  readonly onCallRefused?: (refusal: CallRefusal, peer: PeerIdentity) => void;
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

/** What a listener serves, by path. */
export function callTable({ services, messages = [], routed }: GrpcListenerOptions): CallTable {
  return {
    packets: new Map(services.map((service) => [service.path, service])),
    messages: new Map(messages.map((service) => [service.path, service])),
    routed,
  };
}

/** Opens an HTTP/2 listener for packet services and, behind them, whatever the router serves. */
export async function listenGrpc(options: GrpcListenerOptions): Promise<GrpcListener> {
  const { clock } = options;
  const table = callTable(options);
  const budget = new CallBudget();
  const callRefused = options.onCallRefused ?? (() => {});
  const readPeer = peerReader(options);
  const { server, http2, links } = createServers(options, readPeer);
  // Never listens: it turns the streams handed to it into requests for the router.
  const fallback = createServer();
  fallback.on("request", ownedBy(requestOwner, options.router));
  const failed = owned(ownerOf("listener"), options.onConnectionError);
  const sessions = new Set<ServerHttp2Session>();
  // By session: a session that is gone does not hand its socket out any more.
  const callers = new WeakMap<ServerHttp2Session, Caller>();
  // The socket of the session that is made next, within the same event: a session hands out no socket that can be kept.
  let opened: Socket | undefined;
  const onSocket = ownedBy(connectionOwner, (socket: Socket) => void (opened = socket));
  http2.prependListener("connection", onSocket);
  http2.prependListener("secureConnection", onSocket);
  http2.on(
    "session",
    ownedBy(connectionOwner, (session: ServerHttp2Session) => {
      endLater(session);
      callers.set(session, {
        peer: settledPeer(readPeer(session.socket)),
        budget: budget.connection(),
        work: new FloodBudget(clock.now),
        clock,
        reader: opened === undefined ? undefined : new FairReader(opened),
      });
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
      session.on("error", failed);
      session.setLocalWindowSize(connectionWindowBytes);
      keepAlive(pingable(session), options.keepaliveTimeMs ?? 0, clock);
    }),
  );
  http2.on("sessionError", failed);
  const dropHandshakes = options.tls === undefined ? () => {} : boundHandshakes(server, options.onConnectionError);
  const serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: string[]) => {
    // Without a listener an aborted stream would end the process.
    stream.on("error", () => {});
    const session = stream.session as ServerHttp2Session | undefined;
    const caller = session === undefined ? undefined : callers.get(session);
    // A session that is gone takes no answer.
    if (session === undefined || caller === undefined) return stream.close(constants.NGHTTP2_CANCEL);
    // The runtime reads the socket by itself; that a session's requests cost too much is seen here.
    caller.reader?.call();
    if (!caller.work.take(edgeLimits.runtimeRequestCost)) {
      // What the runtime has read behind it still comes, one by one.
      if (caller.flooded) return;
      caller.flooded = true;
      caller.reader?.hold();
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
      return failed(new EdgeError("flood", "too many requests that are answered at once"));
    }
    const route = routeCall({
      method: headers[":method"] ?? "",
      scheme: headers[":scheme"] ?? "",
      authority: headers[":authority"] ?? headers.host ?? "",
      path: headers[":path"] ?? "",
      contentType: headers["content-type"] ?? "",
    }, table);
    switch (route.kind) {
      case "packets":
        return servePackets(stream, raw, caller, route.service, callRefused);
      case "message":
        return serveMessage(stream, caller, route.service, callRefused);
      case "status":
        return refuse(stream, Object.fromEntries(route.headers));
      case "page":
        return answerPage(stream, Object.fromEntries(route.headers), caller.budget, clock);
    }
    const refusal = caller.budget.takeRouted();
    if (refusal !== undefined) {
      callRefused(refusal, caller.peer);
      // A client may make a refused stream again as it is, which its connection can serve once others have ended.
      if (refusal === "routed_of_connection") stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else answerPage(stream, { ":status": 503 }, caller.budget, clock);
      return;
    }
    stream.once("close", owned(ownerOf("call"), () => caller.budget.releaseRouted()));
    headers[":authority"] = route.authority;
    setStreamPeer(stream, caller.peer);
    fallback.emit("stream", stream, headers, flags, raw);
  };
  http2.on("stream", ownedBy(streamOwner, serve));
  const address = await listen(server, options.address, options.admission);
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

/** The owner of what a session does with a stream: the stream, and no other on the connection. */
function streamOwner(stream: ServerHttp2Stream): Owner {
  return ownerOf("call", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
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

function createServers(options: GrpcListenerOptions, readPeer: PeerReader): Servers {
  const { tls, directService } = options;
  const links = new Set<Socket>();
  if (tls === undefined) {
    const server = createServer({ settings: http2Settings });
    return { server, http2: server, links };
  }
  if (directService === undefined) {
    const server = createSecureServer({ ...tlsServerOptions(tls), settings: http2Settings });
    followTls(server, tls, options.clock, options.onConnectionError);
    return { server, http2: server, links };
  }
  const http2 = createServer({ settings: http2Settings });
  const server = createTlsServer({
    ...tlsServerOptions(tls),
    ...directSocketOptions,
    allowHalfOpen: false,
    ALPNProtocols: [linkProtocol, "h2"],
  });
  followTls(server, tls, options.clock, options.onConnectionError);
  server.on(
    "secureConnection",
    ownedBy(connectionOwner, (socket: TLSSocket) => {
      if (socket.destroyed) return;
      // HTTP/2 has no half-open connections: where the socket stays open, the session never learns that its peer left.
      if (socket.alpnProtocol !== linkProtocol) return void http2.emit("connection", socket);
      socket.allowHalfOpen = true;
      links.add(socket);
      socket.once("close", () => links.delete(socket));
      acceptDirect(socket, readPeer(socket), directService, options);
    }),
  );
  return { server, http2, links };
}

/** Who is at the other end of a session, and what its calls take. */
interface Caller {
  readonly peer: PeerIdentity;
  readonly budget: ConnectionBudget;
  /** For requests that are answered at once. */
  readonly work: FloodBudget;
  readonly clock: Clock;
  /** Has its socket wait for its turn; undefined where it is not known. */
  readonly reader: FairReader | undefined;
  /** It has asked for too many, and its session is being ended. */
  flooded?: boolean;
}

type CallRefused = (refusal: CallRefusal, peer: PeerIdentity) => void;

function servePackets(
  stream: ServerHttp2Stream,
  raw: readonly string[],
  { peer, budget, work, clock }: Caller,
  service: PacketService,
  callRefused: CallRefused,
): void {
  const { maxCallsOfConnection: max, counts } = service;
  if (max !== undefined) {
    if (!budget.takeCall(max)) {
      callRefused("links", peer);
      return refuse(stream, Object.fromEntries(tooManyCalls(max)));
    }
    stream.once("close", owned(ownerOf("call"), () => budget.releaseCall()));
  }
  service.handle(new Http2Call(stream, raw, peer, work, counts, clock));
}

function serveMessage(
  stream: ServerHttp2Stream,
  { peer, budget, clock }: Caller,
  service: MessageService,
  callRefused: CallRefused,
): void {
  if (!budget.takeMessage()) {
    callRefused("messages", peer);
    return refuse(stream, Object.fromEntries(tooManyCalls(edgeLimits.messageCallsOfConnection)));
  }
  stream.once("close", owned(ownerOf("call"), () => budget.releaseMessage()));
  new Http2MessageCall(stream, service, peer, clock);
}
