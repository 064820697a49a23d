import type { Endpoint } from "../../agent/endpoint.ts";
import type { Link } from "../../agent/link.ts";
import type { ServerConnection } from "../../agent/servers/server_connection.ts";
import type { Route } from "../../agent/servers/server_routes.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { type AgentLeaseReport, type AgentLeases, agentLeases } from "./lease_status.ts";
import { type ProgramFacts, type ProgramStatus, programStatus } from "./program_status.ts";
import type { FailureStatus, RecentFailures } from "./recent_failures.ts";
import { type ByteCounts, Rates, readPage, rounded, shown, type StatusPage } from "./status_page.ts";
import type { StatusQuery } from "./status_query.ts";

/** `GET /status` of a proxy-agent's admin port. */
export interface AgentStatus extends ProgramStatus {
  readonly agent: AgentFacts;
  /** Servers that the agent should be linked to, as far as it knows. */
  readonly serverCount: number;
  /** With `--count-server-leases`: the leases, held against the links. */
  readonly leases?: AgentLeases;
  /** Each way to a server: a configured host, or one address of a name that has several. */
  readonly routes: readonly RouteEntry[];
  readonly links: StatusPage<LinkEntry>;
  readonly tunnels: StatusPage<EndpointEntry>;
  /** Destinations that are being connected to. */
  readonly dials: StatusPage<EndpointEntry>;
  /** The last dials that failed, the last one first. */
  readonly failures: readonly FailureStatus[];
}

/** The agent, as its servers see it. */
export interface AgentFacts {
  readonly id: string;
  /** A URL query, as `--agent-identifiers` has it. */
  readonly identifiers: string;
}

/** A way to a server. */
export interface RouteEntry {
  readonly host: string;
  /** `HOST:PORT`, with the address where the host has several. */
  readonly address: string;
  /** The HTTP proxy on the way, without user and password. */
  readonly proxy?: string;
  readonly state: "connecting" | "linked" | "duplicate" | "failed" | "untried";
  readonly links: number;
  /** Until the next attempt; absent while there is none to come. */
  readonly nextAttemptSeconds?: number;
  /** What the last attempt failed with. */
  readonly failure?: string;
}

/** A link to a server. */
export interface LinkEntry {
  /** The server's id. */
  readonly server: string;
  readonly address: string;
  readonly link: "direct" | "grpc";
  readonly seconds: number;
  /** The shortest that was measured; absent while none was. */
  readonly roundTripMs?: number;
  /** `retired`: another link to the server has taken its place, or there are too many; it closes once it carries no tunnel. */
  readonly state: "up" | "draining" | "retired";
  readonly tunnels: number;
  readonly dials: number;
  readonly queuedBytes: number;
  readonly bytes: ByteCounts;
  /** Bytes a second since the status was asked for last, over one second at least. */
  readonly rate: ByteCounts;
}

/** A tunnel's end at the agent, or a dial. */
export interface EndpointEntry {
  /** As in the logs of server and agent. */
  readonly id: string;
  /** The server's id. */
  readonly server: string;
  readonly destination: string;
  readonly seconds: number;
  readonly state: string;
  readonly bytes: ByteCounts;
  readonly queuedBytes: number;
}

/** What an agent's status is read from. */
export interface AgentTables {
  readonly facts: ProgramFacts;
  readonly agent: AgentFacts;
  /** Milliseconds of the agent's clock. */
  readonly now: () => number;
  readonly serverCount: () => number;
  /** Absent where no leases are counted. */
  readonly leases?: () => AgentLeaseReport;
  readonly routes: () => readonly Route[];
  readonly connections: () => Iterable<ServerConnection>;
  readonly retired: () => Iterable<ServerConnection>;
  /** The proxy on the way to a configured host, without its password. */
  readonly proxyOf: (host: string) => string | undefined;
  readonly failures: RecentFailures;
}

interface OnLink {
  readonly link: Link;
  readonly endpoint: Endpoint;
}

/** Reads the status of an agent. */
export class AgentStatusReader {
  readonly #tables: AgentTables;
  readonly #rates = new Rates();

  constructor(tables: AgentTables) {
    this.#tables = tables;
  }

  /** Whatever is long is read in portions, so that nobody waits for it. */
  async read(query: StatusQuery): Promise<AgentStatus> {
    const { facts, agent, serverCount, routes, failures } = this.#tables;
    const retired = new Set(this.#tables.retired());
    const connections = [...this.#tables.connections(), ...retired];
    const onServer = ({ link }: { readonly link: Link }) =>
      query.server === "" || link.server.serverId === query.server;
    const links = connections.filter(onServer).map(({ link }) => link);
    const matches = ({ endpoint }: OnLink) => endpoint.destination.includes(query.destination);
    const show = (entry: OnLink) => this.#endpoint(entry);
    return {
      ...programStatus(facts),
      agent,
      serverCount: serverCount(),
      ...this.#leases(),
      routes: routes().map((route) => this.#route(route)),
      links: await readPage(
        connections,
        query.links,
        onServer,
        (connection) => this.#link(connection, retired.has(connection)),
      ),
      tunnels: await readPage(onLinks(links, (link) => link.tunnels()), query.tunnels, matches, show),
      dials: await readPage(onLinks(links, (link) => link.dials), query.dials, matches, show),
      failures: failures.list(),
    };
  }

  #leases(): Pick<AgentStatus, "leases"> {
    const { leases, connections } = this.#tables;
    if (leases === undefined) return {};
    const up = Array.from(connections()).filter(({ link }) => !link.draining);
    return { leases: agentLeases(leases(), new Set(up.map(({ link }) => link.server.serverId))) };
  }

  #route(route: Route): RouteEntry {
    const { target, outcome, attempting, links, notBefore, failure } = route;
    const proxy = this.#tables.proxyOf(target.serverName);
    const waitMs = notBefore - this.#tables.now();
    return {
      host: target.serverName,
      address: addressOf(route),
      ...(proxy === undefined ? {} : { proxy }),
      state: attempting ? "connecting" : outcome,
      links,
      ...(!attempting && waitMs > 0 && Number.isFinite(waitMs) ? { nextAttemptSeconds: rounded(waitMs / 1000) } : {}),
      ...(failure === undefined ? {} : { failure: shown(failure) }),
    };
  }

  #link(connection: ServerConnection, isRetired: boolean): LinkEntry {
    const { link } = connection;
    const { stream, since, draining, tunnelCount, pendingDials, queuedBytes, bytes } = link;
    const seconds = (this.#tables.now() - since) / 1000;
    return {
      ...linkEntryBase(connection),
      seconds: rounded(seconds),
      ...(stream.roundTripMs > 0 ? { roundTripMs: rounded(stream.roundTripMs) } : {}),
      state: isRetired ? "retired" : draining ? "draining" : "up",
      tunnels: tunnelCount,
      dials: pendingDials,
      queuedBytes,
      bytes,
      rate: this.#rates.of(link, seconds, bytes),
    };
  }

  #endpoint({ link, endpoint }: OnLink): EndpointEntry {
    const { random, destination, since, state, bytes, queuedBytes } = endpoint;
    return {
      id: String(random),
      server: shown(link.server.serverId),
      destination: shown(destination),
      seconds: rounded((this.#tables.now() - since) / 1000),
      state,
      bytes,
      queuedBytes,
    };
  }
}

/** Which server it leads to, and how. */
export function linkEntryBase(
  { link: { server, stream }, route }: ServerConnection,
): Pick<LinkEntry, "server" | "address" | "link"> {
  return {
    server: shown(server.serverId),
    address: addressOf(route),
    link: stream.direct === true ? "direct" : "grpc",
  };
}

function* onLinks(links: readonly Link[], endpoints: (link: Link) => Iterable<Endpoint>): IterableIterator<OnLink> {
  for (const link of links) {
    for (const endpoint of endpoints(link)) yield { link, endpoint };
  }
}

function addressOf({ target }: Route): string {
  return formatHostPort(target.host, target.port);
}
