import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { getLogger } from "@logtape/logtape";
import { listenConnect } from "../net/connect_listener.ts";
import { type GrpcListenerOptions, listenGrpc } from "../net/grpc_listener.ts";
import type { IncomingCall } from "../net/packet_service.ts";
import { listenGrpcOwn } from "../net/h2_listener.ts";
import { formatAddress, type ListenAddress } from "../net/listen.ts";
import type { ServerTls } from "../net/tls_server.ts";
import type { ProxyServer } from "../server/proxy_server.ts";
import { agentRoutes, packetPaths, proxyRoutes } from "../server/rpc_routes.ts";
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

/** Registers services that every gRPC listener serves beside its packet service. */
export type CommonRoutes = (router: ConnectRouter) => void;

/** A listener's connections that failed are told of at a low level: anybody can connect and say nonsense. */
function connectionFailed(listener: string): (error: Error) => void {
  return (error) => log.debug("{listener} connection failed: {reason}", { listener, reason: error.message });
}

/** Both keep one contract; see `net/packet_service_test.ts`. */
function packetListener(options: ServerOptions): typeof listenGrpc {
  return options.http2 === "runtime" ? listenGrpc : listenGrpcOwn;
}

/** Opens the listener for clients: gRPC or HTTP CONNECT, on TCP with TLS or on a Unix socket. */
export async function listenFrontend(
  options: ServerOptions,
  server: ProxyServer,
  tls: ServerTls | undefined,
  routes: CommonRoutes,
  sharing?: ListenerSharing,
): Promise<ServerListener> {
  const common = {
    address: sharedAddress(frontendAddress(options), sharing),
    ...(tls === undefined ? {} : { tls }),
    onConnectionError: connectionFailed("client"),
  };
  const listener = options.mode === "http-connect"
    ? await listenConnect({ ...common, fetch: server.connect.fetch })
    : await packetListener(options)({
      ...common,
      keepaliveTimeMs: options.frontendKeepaliveTimeMs,
      services: [{
        path: packetPaths.proxy,
        handle: (call) => server.proxy.handle(call),
        counts: { received: server.packets.from_client, sent: server.packets.to_client },
      }],
      router: connectNodeAdapter({
        routes(router) {
          proxyRoutes(router, server.proxy);
          routes(router);
        },
      }) as GrpcListenerOptions["router"],
    });
  log.info("listening for clients on {address}", { address: formatAddress(listener.address), mode: options.mode });
  return listener;
}

/** Opens the listener for agents. */
export async function listenAgents(
  options: ServerOptions,
  server: ProxyServer,
  tls: ServerTls,
  routes: CommonRoutes,
  sharing?: ListenerSharing,
): Promise<ServerListener> {
  const service = {
    path: packetPaths.connect,
    handle: (call: IncomingCall) => server.agents.handle(call),
    counts: { received: server.packets.from_agent, sent: server.packets.to_agent },
  };
  const listener = await packetListener(options)({
    address: sharedAddress(agentsAddress(options), sharing),
    tls,
    keepaliveTimeMs: options.keepaliveTimeMs,
    services: [service],
    ...(options.linkProtocol === "grpc" ? {} : { directService: service }),
    router: connectNodeAdapter({
      routes(router) {
        agentRoutes(router, server.agents);
        routes(router);
      },
    }) as GrpcListenerOptions["router"],
    onConnectionError: connectionFailed("agent"),
  });
  log.info("listening for agents on {address}", { address: formatAddress(listener.address) });
  return listener;
}
