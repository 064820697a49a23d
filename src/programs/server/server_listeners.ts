import { type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { getLogger } from "@logtape/logtape";
import type { Http2ServerRequest } from "node:http2";
import { PeerAdmission } from "../../net/edge/admission.ts";
import type { CallRefusal } from "../../net/call/call_budget.ts";
import { type ConnectFetch, listenConnect } from "../../net/http_connect/connect_listener.ts";
import type { Descriptors } from "../../net/edge/descriptors.ts";
import { EdgeError } from "../../net/edge/edge_error.ts";
import { edgeLimits } from "../../net/edge/edge_limits.ts";
import type { MessageService } from "../../net/call/message_service.ts";
import { wireLimits } from "../../wire/limits.ts";
import { type PeerIdentity, peerName } from "../../wire/peer_identity.ts";
import { type GrpcListenerOptions, listenGrpc } from "../../net/http2/grpc_listener.ts";
import type { IncomingCall } from "../../net/call/packet_service.ts";
import { listenGrpcOwn } from "../../net/http2/h2_listener.ts";
import { peerOfRequest } from "../../net/call/request_peer.ts";
import { formatAddress, type ListenAddress } from "../../net/tcp/listen.ts";
import type { ServerTls } from "../../net/tls/tls_server.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ProxyServer } from "../../server/proxy_server.ts";
import { agentRoutes, packetPaths, peerKey, proxyRoutes } from "../../server/frontends/rpc_routes.ts";
import { agentsAddress, frontendAddress, type ListenerSharing, sharedAddress } from "./server_addresses.ts";
import type { ServerOptions } from "./server_options.ts";

const log = getLogger(["server", "listeners"]);

/** A listener of the proxy-server, whatever it speaks. */
export interface ServerListener extends AsyncDisposable {
  readonly address: ListenAddress;
  /** Takes no new connections; what is open runs on. */
  drain(): void;
  /** Closes the listener and drops what is open. */
  close(): Promise<void>;
}

/** Whom a listener serves; the label of a metric. */
export type ListenerName = "client" | "agent";

/** What every gRPC listener serves beside its packet service: methods of its own, and the same in a Connect router. */
export interface CommonServices {
  readonly messages: readonly MessageService[];
  readonly routes: (router: ConnectRouter) => void;
}

/** What the listeners of a server report. */
export interface ListenerEvents {
  /** A connection was closed because it reached a bound. @param reason one of `edgeReasons` */
  connectionClosed(listener: ListenerName, reason: string): void;
  /** A call was refused because there are too many of its kind. @param reason one of `callRefusals` */
  callRefused(listener: ListenerName, reason: string): void;
  /** A connection was refused before it was anybody's. @param reason one of `refusalReasons` */
  connectionRefused(listener: string, reason: string): void;
}

/** What all listeners of a server share. */
export interface ListenerContext {
  readonly clock: Clock;
  readonly events: ListenerEvents;
  readonly descriptors: Descriptors;
  /** What a gRPC client may send ahead on each stream, in bytes; absent: the default. */
  readonly streamWindowBytes?: number | undefined;
  readonly sharing?: ListenerSharing;
}

/**
 * A connection that failed is logged at a low level, since anybody can connect and send nonsense; one that reached a bound
 * is counted, and logged as a warning, of which the log takes few.
 */
function connectionFailed(listener: ListenerName, events: ListenerEvents): (error: Error) => void {
  return (error) => {
    if (error instanceof EdgeError) {
      events.connectionClosed(listener, error.reason);
      log.warn("{listener} connection closed: {reason}", { listener, reason: error.message });
    } else {
      log.debug("{listener} connection failed: {reason}", { listener, reason: error.message });
    }
  };
}

/** A call beyond a bound is counted, and logged as a warning, of which the log takes few. */
export function callRefused(
  listener: ListenerName,
  events: Pick<ListenerEvents, "callRefused">,
): (reason: CallRefusal, peer: PeerIdentity) => void {
  return (reason, peer) => {
    events.callRefused(listener, reason);
    log.warn("refused a call of {listener} {peer}: too many of its kind ({reason})", {
      listener,
      peer: peerName(peer),
      reason,
    });
  };
}

/** Connect's router, the paths that it serves, and how much it takes of a caller: no more than the packet services do. */
function routed(routes: (router: ConnectRouter) => void): Pick<GrpcListenerOptions, "router" | "routed"> {
  const options = { routes, contextValues, readMaxBytes: wireLimits.maxMessageBytes, acceptCompression: [] };
  const router = createConnectRouter(options);
  routes(router);
  return {
    router: connectNodeAdapter(options) as GrpcListenerOptions["router"],
    routed: new Set(router.handlers.map(({ requestPath }) => requestPath)),
  };
}

/** What a peer has to show before it is none of the strangers, of whom there may be only so many. */
function proofOf(tls: ServerTls): "certificate" | "call" {
  return tls.files.material.ca === undefined ? "call" : "certificate";
}

/** A call whose caller is no stranger any more once it is accepted. */
function introduced(call: IncomingCall, admission: PeerAdmission): IncomingCall {
  if (!admission.wantsCalls) return call;
  return {
    peer: call.peer,
    get signal() {
      return call.signal;
    },
    metadata: (key) => call.metadata(key),
    accept(metadata) {
      admission.knows(call.peer.address);
      return call.accept(metadata);
    },
    refuse: (error) => call.refuse(error),
  };
}

/** The same for HTTP CONNECT. */
function introducing(fetch: ConnectFetch, admission: PeerAdmission): ConnectFetch {
  if (!admission.wantsCalls) return fetch;
  return async (request, bindings) => {
    const response = await fetch(request, bindings);
    if (response.ok) admission.knows(bindings.peer.address);
    return response;
  };
}

/** Tells the routes who calls. Every request of these listeners is one of HTTP/2. */
function contextValues(request: unknown) {
  return createContextValues().set(peerKey, peerOfRequest(request as Http2ServerRequest));
}

/** Both keep one contract; see `net/call/packet_service_test.ts`. */
function packetListener(options: ServerOptions): typeof listenGrpc {
  return options.http2 === "runtime" ? listenGrpc : listenGrpcOwn;
}

/** Opens the listener for clients: gRPC or HTTP CONNECT, on TCP with TLS or on a Unix socket. */
export async function listenFrontend(
  options: ServerOptions,
  server: ProxyServer,
  tls: ServerTls | undefined,
  common: CommonServices,
  { clock, events, descriptors, streamWindowBytes, sharing }: ListenerContext,
): Promise<ServerListener> {
  const admission = new PeerAdmission("client", descriptors, events, {
    // Whoever may open the socket's file is trusted.
    strangers: tls === undefined ? "none" : proofOf(tls),
    answersRefused: tls === undefined,
  });
  const plain = {
    admission,
    clock,
    address: sharedAddress(frontendAddress(options), sharing),
    ...(tls === undefined ? {} : { tls }),
    onConnectionError: connectionFailed("client", events),
  };
  const listener = options.mode === "http-connect"
    ? await listenConnect({ ...plain, fetch: introducing(server.connect.fetch, admission) })
    : await packetListener(options)({
      ...plain,
      growth: server.growth,
      onCallRefused: callRefused("client", events),
      messages: common.messages,
      keepaliveTimeMs: options.frontendKeepaliveTimeMs,
      streamWindowBytes,
      services: [{
        path: packetPaths.proxy,
        handle: (call) => server.proxy.handle(introduced(call, admission)),
        counts: { received: server.packets.from_client, sent: server.packets.to_client },
      }],
      ...routed((router) => {
        proxyRoutes(router, server.proxy);
        common.routes(router);
      }),
    });
  log.info("listening for clients on {address}", { address: formatAddress(listener.address), mode: options.mode });
  return listener;
}

/** Opens the listener for agents. */
export async function listenAgents(
  options: ServerOptions,
  server: ProxyServer,
  tls: ServerTls,
  common: CommonServices,
  { clock, events, descriptors, sharing }: ListenerContext,
): Promise<ServerListener> {
  const admission = new PeerAdmission("agent", descriptors, events, { strangers: proofOf(tls) });
  const service = {
    path: packetPaths.connect,
    handle: (call: IncomingCall) => server.agents.handle(introduced(call, admission)),
    maxCallsOfConnection: edgeLimits.linksOfConnection,
    counts: { received: server.packets.from_agent, sent: server.packets.to_agent },
  };
  const listener = await packetListener(options)({
    address: sharedAddress(agentsAddress(options), sharing),
    admission,
    clock,
    tls,
    growth: server.growth,
    keepaliveTimeMs: options.keepaliveTimeMs,
    services: [service],
    ...(options.linkProtocol === "grpc" ? {} : { directService: service }),
    ...routed((router) => {
      agentRoutes(router, server.agents);
      common.routes(router);
    }),
    onConnectionError: connectionFailed("agent", events),
    onCallRefused: callRefused("agent", events),
    messages: common.messages,
  });
  log.info("listening for agents on {address}", { address: formatAddress(listener.address) });
  return listener;
}
