import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { fault, type Owner } from "../../faults/fault.ts";
import { connectionOwner, guard, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import type { H2Error, H2Handler, H2Options } from "../../h2/connection.ts";
import { h2Code } from "../../h2/frames/frame.ts";
import type { RequestHeaders } from "../../h2/request_headers.ts";
import type { H2Stream } from "../../h2/stream.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { linkProtocol } from "../../wire/link_frame.ts";
import { EdgeError, type EdgeReason } from "../edge/edge_error.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { acceptDirect, directSocketOptions } from "../direct/direct_link.ts";
import { callTable, type GrpcListener, type GrpcListenerOptions } from "./grpc_listener.ts";
import type { PacketService } from "../call/packet_service.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { H2Bridge } from "./h2_bridge.ts";
import { answerPage, H2Call, refuse } from "./h2_call.ts";
import { H2MessageCall } from "./h2_message_call.ts";
import { CallBudget, type CallRefusal, type ConnectionBudget, tooManyCalls } from "../call/call_budget.ts";
import { type CallTable, routeCall } from "../call/call_route.ts";
import type { MessageService } from "../call/message_service.ts";
import { H2Socket } from "./h2_socket.ts";
import { connectionWindowBytes, http2Settings } from "./http2_settings.ts";
import { keepAlive } from "./keepalive.ts";
import { listen, stopListening } from "../tcp/listen.ts";
import { type PeerReader, peerReader } from "../tcp/socket_peer.ts";
import { boundHandshakes, followTls, tlsServerOptions } from "../tls/tls_server.ts";

const h2Options: Omit<H2Options, "now"> = {
  streamWindowBytes: http2Settings.initialWindowSize,
  connectionWindowBytes,
  maxConcurrentStreams: http2Settings.maxConcurrentStreams,
};

/**
 * Opens a listener like `listenGrpc`, on an HTTP/2 of our own: packet services run on it directly, every other request
 * reaches the router over node:http2.
 */
export async function listenGrpcOwn(options: GrpcListenerOptions): Promise<GrpcListener> {
  const table = callTable(options);
  const budget = new CallBudget();
  const bridge = new H2Bridge(options.router);
  const links = new Set<H2ServerConnection>();
  const direct = new Set<Socket>();
  const readPeer = peerReader(options);
  const server = createSocketServer(options, direct, readPeer, (socket) => {
    const link = new H2ServerConnection(socket, readPeer(socket), table, bridge, budget.connection(), options, links);
    links.add(link);
  });
  const dropHandshakes = options.tls === undefined ? () => {} : boundHandshakes(server, options.onConnectionError);
  const address = await listen(server, options.address, options.admission);
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
  readPeer: PeerReader,
  onHttp2: (socket: Socket) => void,
): Server {
  const { tls, directService } = options;
  if (tls === undefined) return createServer({ noDelay: true }, ownedBy(connectionOwner, onHttp2));
  const server = createTlsServer({
    ...tlsServerOptions(tls),
    ...directSocketOptions,
    allowHalfOpen: false,
    ALPNProtocols: directService === undefined ? ["h2"] : [linkProtocol, "h2"],
  });
  followTls(server, tls, options.clock, options.onConnectionError);
  server.on(
    "secureConnection",
    ownedBy(connectionOwner, (socket: TLSSocket) => {
      if (socket.destroyed) return;
      socket.allowHalfOpen = true;
      if (socket.alpnProtocol === "h2") return onHttp2(socket);
      if (socket.alpnProtocol === linkProtocol && directService !== undefined) {
        direct.add(socket);
        socket.once("close", () => direct.delete(socket));
        return acceptDirect(socket, readPeer(socket), directService, options);
      }
      socket.on("error", () => {});
      socket.destroy();
      options.onConnectionError(new Error("client did not offer HTTP/2 (ALPN h2)"));
    }),
  );
  return server;
}

/** The bounds whose connections this side closes with a code of their own. */
const edgeReasonOf: ReadonlyMap<number, EdgeReason> = new Map([
  [h2Code.settingsTimeout, "slow_start"],
  [h2Code.enhanceYourCalm, "flood"],
]);

/** One client's connection. */
class H2ServerConnection implements H2Handler, Owner {
  readonly place = "connection";
  readonly #socket: H2Socket;
  readonly #peer: PeerIdentity;
  readonly #table: CallTable;
  readonly #bridge: H2Bridge;
  readonly #budget: ConnectionBudget;
  readonly #clock: Clock;
  readonly #onConnectionError: (error: Error) => void;
  readonly #begin: Deadline;
  #idle: Deadline | undefined;
  /** So far. */
  #requests = 0;
  readonly #onCallRefused: (refusal: CallRefusal, peer: PeerIdentity) => void;

  constructor(
    socket: Socket,
    peer: PeerIdentity,
    table: CallTable,
    bridge: H2Bridge,
    budget: ConnectionBudget,
    options: GrpcListenerOptions,
    open: Set<H2ServerConnection>,
  ) {
    this.#peer = peer;
    this.#table = table;
    this.#bridge = bridge;
    this.#budget = budget;
    const { clock } = options;
    this.#clock = clock;
    this.#onConnectionError = options.onConnectionError;
    this.#onCallRefused = options.onCallRefused ?? (() => {});
    // Who comes over a Unix socket is at no distance.
    const growth = options.growth === undefined || options.tls === undefined ? {} : { growth: options.growth };
    const { streamWindowBytes = h2Options.streamWindowBytes } = options;
    const settings = { ...h2Options, ...growth, streamWindowBytes, now: clock.now };
    const http2 = new H2Socket(socket, this, settings, clock, this.#onConnectionError);
    this.#socket = http2;
    this.#begin = clock.after(edgeLimits.http2BeginTimeoutMs, () => this.#begun(), this);
    // One listener for all that ends with it: a dial of kube-apiserver has a connection of its own.
    socket.on(
      "close",
      owned(this, () => {
        open.delete(this);
        this.#begin.cancel();
        this.#idle?.cancel();
      }),
    );
    if (options.tls !== undefined && options.tls.files.material.ca === undefined) this.#watchStranger(socket);
    if (options.keepaliveTimeMs !== undefined && options.keepaliveTimeMs > 0) {
      keepAlive(
        {
          get destroyed() {
            return socket.destroyed;
          },
          get bytesRead() {
            return socket.bytesRead;
          },
          ping: (onAnswer) => http2.connection.ping(onAnswer),
          destroy: (error) => socket.destroy(error),
          once: (event, listener) => socket.once(event, listener),
        },
        options.keepaliveTimeMs,
        clock,
      );
    }
  }

  drain(): void {
    this.#socket.connection.drain();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** {@link Owner}. */
  faulted(): void {
    this.#socket.destroy();
  }

  // ---- H2Handler ----

  onRequest(stream: H2Stream, headers: RequestHeaders): void {
    try {
      this.#serve(stream, headers);
    } catch (error) {
      // One call ends, and the others on its connection go on.
      fault(ownerOf("call", () => stream.reset(h2Code.internalError)), error);
    }
  }

  #serve(stream: H2Stream, headers: RequestHeaders): void {
    this.#requests++;
    const route = routeCall({
      method: headers.get(":method"),
      scheme: headers.get(":scheme"),
      authority: headers.get(":authority") || headers.get("host"),
      path: headers.get(":path"),
      contentType: headers.get("content-type"),
    }, this.#table);
    switch (route.kind) {
      case "packets":
        return this.#servePackets(stream, headers, route.service);
      case "message":
        return this.#serveMessage(stream, route.service);
      case "router":
        return this.#serveRouted(stream, headers, route.authority);
      case "status":
        return refuse(stream, route.headers);
      case "page":
        return answerPage(stream, route.headers, this.#budget, this.#clock);
    }
  }

  #servePackets(stream: H2Stream, headers: RequestHeaders, service: PacketService): void {
    const { maxCallsOfConnection: max, counts } = service;
    if (max !== undefined) {
      if (!this.#budget.takeCall(max)) {
        this.#onCallRefused("links", this.#peer);
        return refuse(stream, tooManyCalls(max));
      }
      stream.onGone(() => this.#budget.releaseCall());
    }
    service.handle(new H2Call(stream, headers, this.#peer, this.#socket, counts));
  }

  #serveMessage(stream: H2Stream, service: MessageService): void {
    if (!this.#budget.takeMessage()) {
      this.#onCallRefused("messages", this.#peer);
      return refuse(stream, tooManyCalls(edgeLimits.messageCallsOfConnection));
    }
    stream.onGone(() => this.#budget.releaseMessage());
    new H2MessageCall(stream, service, this.#peer, this.#clock);
  }

  #serveRouted(stream: H2Stream, headers: RequestHeaders, authority: string): void {
    const refusal = this.#budget.takeRouted();
    if (refusal === undefined) {
      stream.onGone(() => this.#budget.releaseRouted());
      return this.#bridge.handle(stream, headers, authority, this.#peer);
    }
    this.#onCallRefused(refusal, this.#peer);
    // A client may make a refused stream again as it is, which its own connection can serve once others have ended.
    if (refusal === "routed_of_connection") stream.reset(h2Code.refusedStream);
    else answerPage(stream, [[":status", "503"]], this.#budget, this.#clock);
  }

  onClose(error: H2Error | undefined): void {
    if (error === undefined || error.code === h2Code.connectError) return;
    const reason = edgeReasonOf.get(error.code);
    guard(this, () => {
      this.#onConnectionError(reason === undefined ? error : new EdgeError(reason, error.message, { cause: error }));
    });
  }

  /** A connection of somebody who has proved nothing is not kept while nothing happens on it. */
  #watchStranger(socket: Socket): void {
    const requests = this.#requests;
    this.#idle = this.#clock.after(edgeLimits.idleStrangerMs, () => {
      const { connection, anyAccepted } = this.#socket;
      if (socket.destroyed || anyAccepted) return;
      if (connection.streamCount > 0 || this.#requests > requests) return this.#watchStranger(socket);
      connection.close(h2Code.noError, "idle");
      this.#onConnectionError(new EdgeError("idle", `no call in ${edgeLimits.idleStrangerMs} ms`));
    }, this);
  }

  /** A connection that says nothing, or nothing that is HTTP/2, is not kept. */
  #begun(): void {
    const { connection } = this.#socket;
    if (!connection.begun) {
      connection.close(h2Code.settingsTimeout, `no HTTP/2 in ${edgeLimits.http2BeginTimeoutMs} ms`);
    }
  }
}
