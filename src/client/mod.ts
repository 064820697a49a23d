/**
 * The konnectivity client: reaches destinations in a cluster network through a proxy-server and its agents, from
 * TypeScript.
 *
 * @module
 */
export { connect, type ConnectOptions, type ProxyAddress, type ProxyTls } from "./connect.ts";
export type { ClientEvents, ClientGauges, ClientSegment } from "./client_events.ts";
export { toDuplex } from "./node_duplex.ts";
export type { DialOptions, ProxyClient } from "./proxy_client.ts";
export { type DialFailureReason, dialFailureReason, ProxyError, type ProxyErrorCode } from "./proxy_error.ts";
export type { Tunnel } from "./tunnel.ts";
export { type DestinationTls, fetchOver, type TunnelRequestInit } from "./tunnel_fetch.ts";
