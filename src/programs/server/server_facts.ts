import type { ProgramFacts } from "../../ops/status/program_status.ts";
import type { ServerFacts } from "../../ops/status/server_status.ts";
import { formatAddress } from "../../net/tcp/listen.ts";
import { pagesListener } from "../pages_ports.ts";
import { version } from "../version.ts";
import { parseProxyStrategies } from "./proxy_strategies.ts";
import { agentsAddress, frontendAddress } from "./server_addresses.ts";
import type { ServerOptions } from "./server_options.ts";

/** What the flags of a proxy-server say in its status. */
export function serverFacts(options: ServerOptions): ServerFacts {
  return {
    id: options.serverId,
    serverCount: options.serverCount,
    strategies: parseProxyStrategies(options.proxyStrategies),
  };
}

/** What of a server's status is not in its flags. */
export interface ServerState extends Pick<ProgramFacts, "notReady" | "draining" | "certificates"> {
  /** The ports that were chosen; undefined where a port is not open. */
  ports(): { readonly health: number | undefined; readonly admin: number | undefined };
}

/** What the status of a proxy-server says of the program. */
export function serverProgramFacts(options: ServerOptions, state: ServerState): ProgramFacts {
  return {
    name: "proxy-server",
    version,
    notReady: () => state.notReady(),
    draining: () => state.draining(),
    certificates: () => state.certificates(),
    listeners: () => {
      const { health, admin } = state.ports();
      return [
        {
          name: "client",
          address: formatAddress(frontendAddress(options)),
          protocol: options.mode === "http-connect" ? "http-connect" : "grpc",
          tls: options.udsName === "",
        },
        { name: "agent", address: formatAddress(agentsAddress(options)), protocol: "grpc", tls: true },
        ...pagesListener("health", options.healthBindAddress, health),
        ...pagesListener("admin", options.adminBindAddress, admin),
      ];
    },
  };
}
