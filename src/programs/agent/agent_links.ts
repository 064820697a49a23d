import { Code, ConnectError } from "@connectrpc/connect";
import { isIP } from "node:net";
import { AgentService } from "../../../gen/agent/agent_pb.ts";
import type { LinkConnection, LinkTransport } from "../../agent/servers/open_link.ts";
import type { ProxyFor } from "../../dial/proxy/proxy_settings.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { StreamCounts } from "../../wire/packet_counts.ts";
import { connectLink, type LinkClient } from "../../net/direct/link_client.ts";
import type { TlsMaterial } from "../../net/tls/tls_files.ts";

const connectPath = `/${AgentService.typeName}/${AgentService.method.connect.name}`;
const healthPath = "/grpc.health.v1.Health/Check";

/** What the agent's connections to servers are made with. */
export interface AgentLinkOptions {
  readonly clock: Clock;
  /** Read for each connection, so that certificates can rotate. */
  readonly tls: () => TlsMaterial;
  readonly alpnProtocols: readonly string[];
  readonly counts: StreamCounts;
  /** Offer servers a link without HTTP/2. */
  readonly direct: boolean;
  /** Asked about servers as they were configured. */
  readonly proxyFor: ProxyFor;
}

/** Links to servers, one connection each: direct ones where both sides have them, else one call of AgentService. */
export function agentLinks(options: AgentLinkOptions): LinkTransport {
  return async (target, signal) => {
    const proxy = options.proxyFor(target.serverName, target.port);
    const server = {
      kind: "tls" as const,
      host: target.host,
      port: target.port,
      tls: options.tls(),
      // A certificate is checked against an address by itself; TLS has no names for them (RFC 6066 section 3).
      ...(isIP(target.serverName) === 0 ? { serverName: target.serverName } : {}),
      alpnProtocols: options.alpnProtocols,
      ...(proxy === undefined ? {} : { proxy }),
    };
    return linkOver(await connectLink(server, signal, options.direct, options.clock), options.counts);
  };
}

/** A link's connection as the agent's set of servers has it. */
export function linkOver(connection: LinkClient, counts: StreamCounts): LinkConnection {
  return {
    serverNames: connection.serverNames,
    direct: connection.direct,
    leaving: connection.leaving,
    open: (metadata) => connection.open(connectPath, metadata, counts),
    probe: (original) => original && !connection.direct ? callHealth(connection) : connection.ping(),
    close: () => connection.close(),
  };
}

/**
 * Asks a server of the original for its health, which it answers with "unimplemented". It takes more than two pings in 30 s
 * for an attack and closes the connection; a call is none, and any answer shows that it lives.
 */
async function callHealth(connection: LinkClient): Promise<void> {
  if (!connection.usable) return await connection.ping();
  const { stream, metadata } = connection.open(healthPath, {});
  await metadata.then(() => {}, () => {});
  stream.destroy(new ConnectError("answered", Code.Canceled));
}
