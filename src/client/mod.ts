/**
 * The konnectivity client: reaches destinations in a network behind a proxy-server and its agents.
 *
 * A {@link ProxyClient} stands for one proxy and makes any number of tunnels through it, at once and one after another.
 * A {@link Tunnel} is a connection to one destination, as Web Streams:
 *
 * ```ts
 * import { connect } from "@konnectivity/deno/client";
 *
 * await using proxy = await connect({ mode: "grpc", transport: "unix", path: "/run/konnectivity-server.socket" });
 * await using tunnel = await proxy.dial("echo.internal:7", { signal: AbortSignal.timeout(10_000) });
 *
 * const writer = tunnel.writable.getWriter();
 * await writer.write(new TextEncoder().encode("hello"));
 * for await (const bytes of tunnel.readable) {
 *   console.log(new TextDecoder().decode(bytes));
 *   break;
 * }
 * ```
 *
 * On TCP a proxy is always reached by TLS, here with a certificate on both sides. {@link ProxyClient.fetch} requests a
 * URL as the agent's network sees it:
 *
 * ```ts
 * import { connect } from "@konnectivity/deno/client";
 *
 * await using proxy = await connect({
 *   mode: "http-connect",
 *   transport: "tls",
 *   host: "localhost",
 *   port: 8090,
 *   tls: {
 *     ca: await Deno.readTextFile("certs/frontend/issued/ca.crt"),
 *     cert: await Deno.readTextFile("certs/frontend/issued/proxy-client.crt"),
 *     key: await Deno.readTextFile("certs/frontend/private/proxy-client.key"),
 *   },
 * });
 * const response = await proxy.fetch("http://web.internal:8000/success?verbose=1");
 * console.log(response.status, await response.text());
 * ```
 *
 * What fails is a {@link ProxyError}, whose `code` separates the destination's failure from the proxy's:
 *
 * ```ts
 * import { connect, ProxyError } from "@konnectivity/deno/client";
 *
 * await using proxy = await connect({ mode: "grpc", transport: "unix", path: "/run/konnectivity-server.socket" });
 * try {
 *   await using tunnel = await proxy.dial("closed.internal:1");
 *   console.log("reached", tunnel.address);
 * } catch (error) {
 *   if (!(error instanceof ProxyError)) throw error;
 *   // "endpoint": dial tcp 10.0.0.7:1: connect: connection refused
 *   if (error.code === "endpoint") console.log("the destination is not there:", error.message);
 *   else if (error.code === "no-agent") console.log("no agent is connected");
 *   else console.log("the proxy failed:", error.code, error.message);
 * }
 * ```
 *
 * Libraries for Node.js that want a socket take {@link toDuplex}:
 *
 * ```ts
 * import { connect, toDuplex } from "@konnectivity/deno/client";
 *
 * await using proxy = await connect({ mode: "grpc", transport: "unix", path: "/run/konnectivity-server.socket" });
 * const socket = toDuplex(await proxy.dial("echo.internal:7"));
 * socket.write("hello");
 * const [answer] = await Array.fromAsync(socket.take(1));
 * console.log(String(answer));
 * ```
 *
 * @module
 */
export { connect, type ConnectOptions, type ProxyAddress, type ProxyTls } from "./connect.ts";
export type { ClientEvents, ClientGauges, ClientSegment } from "./client_events.ts";
export type { PacketCounts } from "../wire/packet_counts.ts";
export { toDuplex } from "./node_duplex.ts";
export type { DialOptions, ProxyClient } from "./proxy_client.ts";
export { type DialFailureReason, dialFailureReason, ProxyError, type ProxyErrorCode } from "./proxy_error.ts";
export type { Tunnel } from "./tunnel.ts";
export { type DestinationTls, fetchOver, type TunnelRequestInit } from "./tunnel_fetch.ts";
