import type { KeepaliveOptions } from "../../liveness/keepalive.ts";
import type { AgentIdentity, LinkTransport, OpenLimits } from "./open_link.ts";
import type { ServerCounter, ServerCountSource } from "./server_count.ts";
import type { Resolver } from "./server_routes.ts";

/** How an agent finds its servers and stays with them. */
export interface ServerSetOptions {
  /** Names or addresses, at least one. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly identity: AgentIdentity;
  readonly transport: LinkTransport;
  readonly resolve: Resolver;
  /** Milliseconds between attempts, and where their growth ends. */
  readonly syncIntervalMs: number;
  readonly syncIntervalCapMs: number;
  /** Go on connecting when there are as many links as servers. */
  readonly syncForever: boolean;
  readonly keepalive: KeepaliveOptions;
  /** How old a link may become before another takes its place, in milliseconds; absent or 0: as old as it likes. */
  readonly maxLinkAgeMs?: number;
  readonly countSource: ServerCountSource;
  /** Absent: the servers' own reports count. */
  readonly counter?: ServerCounter;
  readonly times?: ServerSetTimes;
  readonly openLimits?: OpenLimits;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
}

/** Times that have no flag, in milliseconds. */
export interface ServerSetTimes {
  /** A complete set asks a server again how many there are after this long, with up to half as much jitter. */
  readonly recheckMs: number;
  /** How old the resolver's answer may be. */
  readonly resolveMs: number;
  /** The same while a server is missing, and for `announcedMs` after it was announced: its address may follow its lease. */
  readonly missingResolveMs: number;
  readonly announcedResolveMs: number;
  readonly announcedMs: number;
  /** How long there must be a surplus before a link is retired: counts fluctuate while servers are replaced. */
  readonly surplusMs: number;
  /** How long a retired link must be without a tunnel before it is closed. */
  readonly quietMs: number;
}

/** The defaults. */
export const serverSetTimes: ServerSetTimes = {
  recheckMs: 60_000,
  resolveMs: 30_000,
  missingResolveMs: 5_000,
  announcedResolveMs: 1_000,
  announcedMs: 10_000,
  surplusMs: 30_000,
  quietMs: 1_000,
};
