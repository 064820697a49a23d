import type { AgentInfo } from "../../server/agents/agent_info.ts";
import type { Backend } from "../../server/backend.ts";
import type { StrategyName } from "../../server/strategies.ts";
import type { ServerTunnel } from "../../server/tunnel.ts";
import type { TunnelClient } from "../../server/tunnel_client.ts";
import { peerName } from "../../wire/peer_identity.ts";
import type { ProbeReport } from "../../server/probes/destination_probe.ts";
import { type ServerLeaseReport, type ServerLeases, serverLeases } from "./lease_status.ts";
import { type ProbeStatus, probeStatus } from "./probe_status.ts";
import { type ProgramFacts, type ProgramStatus, programStatus } from "./program_status.ts";
import type { FailureStatus, RecentFailures } from "./recent_failures.ts";
import { type ByteCounts, Rates, readPage, rounded, shown, type StatusPage } from "./status_page.ts";
import type { StatusQuery } from "./status_query.ts";

/** `GET /status` of a proxy-server's admin port. */
export interface ServerStatus extends ProgramStatus {
  readonly server: ServerFacts;
  /** With `--enable-lease-controller`: the server's own lease, and those of all servers. */
  readonly leases?: ServerLeases;
  readonly agents: StatusPage<AgentEntry>;
  readonly tunnels: StatusPage<TunnelEntry>;
  /** Dials that no agent has answered yet. */
  readonly dials: StatusPage<DialEntry>;
  /** Destinations that the server probes. */
  readonly probes: readonly ProbeStatus[];
  /** The last dials that failed, the last one first. */
  readonly failures: readonly FailureStatus[];
}

/** The server's configuration, as far as its peers see it. */
export interface ServerFacts {
  readonly id: string;
  readonly serverCount: number;
  readonly strategies: readonly StrategyName[];
}

/** A connected agent: one link. */
export interface AgentEntry {
  readonly id: string;
  /** Its certificate's name, or its address. */
  readonly name: string;
  readonly address: string;
  readonly link: "direct" | "grpc";
  /** Since it was connected. */
  readonly seconds: number;
  /** The shortest that was measured; absent while none was. */
  readonly roundTripMs?: number;
  /** The first of them. */
  readonly identifiers: readonly string[];
  /** How many there are. */
  readonly identifierCount: number;
  readonly draining: boolean;
  /** A client that does not read holds the whole link back. */
  readonly stalled: boolean;
  readonly tunnels: number;
  readonly dials: number;
  readonly queuedBytes: number;
  readonly bytes: ByteCounts;
  /** Bytes a second since the status was asked for last, over one second at least. */
  readonly rate: ByteCounts;
  /** With `--workers`: which of them it is connected to. */
  readonly worker?: number;
}

/** Who asked for a tunnel. */
export interface ClientEntry {
  /** `probe`: the server itself, for a destination of `--probe-destination`. */
  readonly frontend: "grpc" | "http-connect" | "probe";
  /** Its certificate's name, or its address. */
  readonly name: string;
  readonly address: string;
}

/** A dial that waits for its answer. */
export interface DialEntry {
  /** As in the logs of server and agent. */
  readonly id: string;
  readonly client: ClientEntry;
  readonly destination: string;
  /** The agent's id. */
  readonly agent: string;
  readonly seconds: number;
  readonly worker?: number;
}

/** An open tunnel. */
export interface TunnelEntry extends DialEntry {
  readonly state: "open" | "closing";
  readonly bytes: ByteCounts;
  readonly queuedBytes: number;
  /** Whom bytes wait for; absent: nothing waits. */
  readonly waitsFor?: "client" | "agent";
}

/** What a server's status is read from. */
export interface ServerTables {
  readonly facts: ProgramFacts;
  readonly server: () => ServerFacts;
  /** Absent where the server holds no lease. */
  readonly leases?: () => ServerLeaseReport;
  readonly backends: () => Iterable<Backend>;
  readonly probes: () => Iterable<ProbeReport>;
  readonly failures: RecentFailures;
}

interface OnBackend {
  readonly backend: Backend;
  readonly tunnel: ServerTunnel;
}

/** Identifiers of one agent that are shown: an agent may have thousands, and a page a thousand agents. */
const shownIdentifiers = 32;

/** Reads the status of one server. */
export class ServerStatusReader {
  readonly #tables: ServerTables;
  readonly #rates = new Rates();

  constructor(tables: ServerTables) {
    this.#tables = tables;
  }

  /** Whatever is long is read in portions, so that nobody waits for it. */
  async read(query: StatusQuery): Promise<ServerStatus> {
    const { facts, server, leases, failures } = this.#tables;
    // A copy of the list, not of what is in it: agents come and go meanwhile.
    const backends = [...this.#tables.backends()];
    const wanted = query.agent === "" ? backends : backends.filter(({ info }) => info.agentId === query.agent);
    const matches = ({ tunnel }: OnBackend) => isWanted(tunnel, query);
    return {
      ...programStatus(facts),
      server: server(),
      ...(leases === undefined ? {} : { leases: serverLeases(leases()) }),
      agents: await readPage(
        backends,
        query.agents,
        ({ info }) => query.agent === "" || info.agentId === query.agent,
        (backend) => this.#agent(backend),
      ),
      tunnels: await readPage(
        onBackends(wanted, (backend) => backend.tunnels()),
        query.tunnels,
        matches,
        (entry) => tunnelEntry(entry),
      ),
      dials: await readPage(
        onBackends(wanted, (backend) => backend.dials()),
        query.dials,
        matches,
        (entry) => dialEntry(entry),
      ),
      probes: Array.from(this.#tables.probes(), probeStatus),
      failures: failures.list(),
    };
  }

  #agent(backend: Backend): AgentEntry {
    const { info, link, seconds, draining, stalled, tunnelCount, pendingDials, queuedBytes, bytes } = backend;
    const { defaultRoute } = info.identifiers;
    const identifiers = identifierKinds(info).flatMap(([kind, values]) =>
      values.slice(0, shownIdentifiers).map((value) => shown(`${kind}=${value}`))
    );
    if (defaultRoute) identifiers.unshift("default-route=true");
    return {
      ...agentEntryBase(backend),
      seconds: rounded(seconds),
      ...(link.roundTripMs > 0 ? { roundTripMs: rounded(link.roundTripMs) } : {}),
      identifiers: identifiers.slice(0, shownIdentifiers),
      draining,
      stalled,
      tunnels: tunnelCount,
      dials: pendingDials,
      queuedBytes,
      bytes,
      rate: this.#rates.of(backend, seconds, bytes),
    };
  }
}

function identifierKinds({ identifiers: { ipv4, ipv6, host, cidr } }: AgentInfo) {
  return Object.entries({ ipv4, ipv6, host, cidr });
}

/** Who an agent is, and how it is connected. */
export function agentEntryBase(
  { info, link }: Backend,
): Pick<AgentEntry, "id" | "name" | "address" | "link" | "identifierCount"> {
  return {
    id: shown(info.agentId),
    name: shown(peerName(info.peer)),
    address: info.peer.address,
    link: link.direct === true ? "direct" : "grpc",
    identifierCount: identifierKinds(info).reduce(
      (sum, [, values]) => sum + values.length,
      info.identifiers.defaultRoute ? 1 : 0,
    ),
  };
}

/** Who a client is. */
export function clientEntry({ frontend, peer }: TunnelClient): ClientEntry {
  return { frontend, name: shown(peerName(peer)), address: peer.address };
}

function* onBackends(
  backends: readonly Backend[],
  tunnels: (backend: Backend) => Iterable<ServerTunnel>,
): IterableIterator<OnBackend> {
  for (const backend of backends) {
    for (const tunnel of tunnels(backend)) yield { backend, tunnel };
  }
}

function isWanted({ target, client: { peer } }: ServerTunnel, { client, destination }: StatusQuery): boolean {
  if (!target.address.includes(destination)) return false;
  return client === "" || peer.address.includes(client) || peerName(peer).includes(client);
}

function dialEntry({ backend, tunnel }: OnBackend): DialEntry {
  const { id, target, client, seconds } = tunnel;
  return {
    id: String(id),
    client: clientEntry(client),
    destination: shown(target.address),
    agent: shown(backend.info.agentId),
    seconds: rounded(seconds),
  };
}

function tunnelEntry(entry: OnBackend): TunnelEntry {
  const { state, bytes, queuedBytes, waitsFor } = entry.tunnel;
  return {
    ...dialEntry(entry),
    state: state === "closing" ? "closing" : "open",
    bytes,
    queuedBytes,
    ...(waitsFor === undefined ? {} : { waitsFor }),
  };
}
