import type { TLSSocket } from "node:tls";
import { agentLimits } from "../../../src/agent/agent_limits.ts";
import type { AgentEvents } from "../../../src/agent/agent_events.ts";
import type { DestinationStream, DialOptions, DialResult } from "../../../src/agent/dialler.ts";
import { ProxyAgent } from "../../../src/agent/proxy_agent.ts";
import type { LinkConnection, LinkTarget } from "../../../src/agent/servers/open_link.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import type { ApiTransport } from "../../../src/kube/client/api_transport.ts";
import { KubeClient } from "../../../src/kube/client/kube_client.ts";
import { LeaseCounter } from "../../../src/kube/leases/lease_counter.ts";
import { LeasesApi } from "../../../src/kube/leases/leases_api.ts";
import { selectorOf } from "../../../src/kube/leases/lease_collector.ts";
import { directClient } from "../../../src/net/direct/link_client.ts";
import { describeDialFailure } from "../../../src/net/tcp/dial_failure.ts";
import { SocketStream } from "../../../src/net/tcp/socket_stream.ts";
import { linkOver } from "../../../src/programs/agent/agent_links.ts";
import type { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { metadataKeys } from "../../../src/wire/metadata.ts";
import { parseHostPort } from "../../../src/wire/destination/host_port.ts";
import { PacketCounts } from "../../../src/wire/packet_counts.ts";
import type { HostClock } from "../host_clock.ts";
import type { Network } from "../network/network.ts";
import type { Random } from "../random.ts";
import { ports, serversName } from "./ports.ts";
import { wrapped } from "./wrapped_stream.ts";
import { leaseLabels, leaseNamespace } from "./server_process.ts";

/** What carries an agent's links: the project's own framing, the same with pings that are packets, or the original's packets alone. */
export type LinkKind = "direct" | "pinged" | "legacy";

/** An agent's process, before it starts. */
export interface AgentProcessOptions {
  readonly host: string;
  readonly clock: HostClock;
  readonly random: Random;
  readonly network: Network;
  readonly link: LinkKind;
  /** What it stands for, as a URL query. */
  readonly identifiers: string;
  readonly events: AgentEvents;
  /** The servers' hosts as the name service has them now. */
  readonly resolve: () => Promise<readonly string[]>;
  /** Where a host that agents dial leads to: a server, or a load balancer's choice. */
  readonly route: (host: string) => string;
  readonly maxLinkAgeMs: number;
  readonly growth: GrowthBudget;
  readonly syncIntervalCapMs: number;
  /** Absent: the servers' own reports count. */
  readonly kube?: ApiTransport | undefined;
  /** Stands around the stream of each link. */
  readonly aroundLink?: (stream: PacketStream) => PacketStream;
  /** Stands around each connection to a destination. */
  readonly aroundDestination?: (stream: DestinationStream) => DestinationStream;
}

/** A link as over gRPC: whether its pings reach the other end is not known. */
const overGrpc = { outgoing: { roundTripMs: 0, measure: (onAnswer?: () => void) => onAnswer?.() } };

/** The real core of an agent on a simulated host. */
export class AgentProcess {
  readonly host: string;
  readonly agent: ProxyAgent;
  readonly clock: HostClock;
  readonly link: LinkKind;
  readonly #options: AgentProcessOptions;
  readonly #connectFrom: ReturnType<Network["from"]>;
  readonly #counter: LeaseCounter | undefined;
  readonly #packets = { from_agent: new PacketCounts(), to_agent: new PacketCounts() };

  constructor(options: AgentProcessOptions) {
    const { host, clock, random, kube } = options;
    this.host = host;
    this.clock = clock;
    this.link = options.link;
    this.#options = options;
    this.#connectFrom = options.network.from(host);
    this.#counter = kube === undefined ? undefined : this.#counterOver(kube);
    this.agent = new ProxyAgent({
      dial: (_network, address, dialOptions) => this.#dial(address, dialOptions),
      clock,
      events: options.events,
      packets: this.#packets,
      limits: agentLimits,
      growth: options.growth,
      servers: {
        hosts: [serversName],
        port: ports.agents,
        identity: { agentId: host, identifiers: options.identifiers },
        transport: (target, signal) => this.#connect(target, signal),
        resolve: options.resolve,
        syncIntervalMs: 1_000,
        syncIntervalCapMs: options.syncIntervalCapMs,
        syncForever: false,
        keepalive: { timeMs: 10_000, timeoutMs: 10_000 },
        maxLinkAgeMs: options.maxLinkAgeMs,
        countSource: "default",
        random: random.next,
        ...(this.#counter === undefined ? {} : { counter: this.#counter }),
      },
    });
  }

  start(): void {
    this.#counter?.start();
    this.agent.start();
  }

  /** Ends in order. */
  async stop(drainMs: number): Promise<void> {
    this.agent.drain(drainMs);
    await this.agent.closed;
    await this.#counter?.stop();
    this.end(false);
  }

  /** Is gone at once. */
  end(powerOff: boolean): void {
    this.#options.network.kill(this.host, powerOff);
    this.clock.stop();
  }

  #counterOver(transport: ApiTransport): LeaseCounter {
    const { clock, random } = this.#options;
    const access = {
      server: new URL("https://kubernetes"),
      insecure: false,
      credentials: () => Promise.resolve({}),
      expire: () => {},
    };
    const client = new KubeClient(access, { userAgent: "proxy-agent", clock, random: random.next, transport });
    return new LeaseCounter({
      api: new LeasesApi(client, random.next),
      scope: { namespace: leaseNamespace, labelSelector: selectorOf(leaseLabels) },
      events: { leasesListed: () => {}, leasesWatched: () => {} },
      clock,
      random: random.next,
    });
  }

  async #connect(target: LinkTarget, signal: AbortSignal): Promise<LinkConnection> {
    const { route, link, aroundLink = (stream) => stream } = this.#options;
    const server = route(target.host);
    const socket = await this.#connectFrom(server, target.port, signal);
    const connection = linkOver(
      directClient(socket.socket as TLSSocket, server, this.clock),
      { received: this.#packets.to_agent, sent: this.#packets.from_agent },
    );
    const isDirect = link === "direct";
    return {
      ...connection,
      direct: isDirect,
      // Nobody of the original's knows features.
      open(metadata) {
        const { [metadataKeys.features]: features = "", ...rest } = metadata;
        const call = connection.open(link === "legacy" ? rest : { ...rest, [metadataKeys.features]: features });
        return { ...call, stream: aroundLink(isDirect ? call.stream : wrapped(call.stream, overGrpc)) };
      },
      probe: () => connection.probe(false),
    };
  }

  async #dial(address: string, { signal, timeoutMs }: DialOptions): Promise<DialResult> {
    const { aroundDestination = (stream) => stream } = this.#options;
    const attempt = new AbortController();
    const giveUp = () => attempt.abort(signal.reason);
    signal.addEventListener("abort", giveUp);
    const timeOut = () => attempt.abort(Object.assign(new Error("connect ETIMEDOUT"), { code: "ETIMEDOUT" }));
    const limit = this.clock.after(timeoutMs, timeOut, ownerOf("dial"));
    try {
      const target = parseHostPort(address);
      if (typeof target === "string") throw new Error(target);
      const socket = await this.#connectFrom(target.host, target.port, attempt.signal);
      return { ok: true, stream: aroundDestination(new SocketStream(socket.socket)) };
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      return { ok: false, failure: describeDialFailure("tcp", address, [{ address, error: failure }]) };
    } finally {
      limit.cancel();
      signal.removeEventListener("abort", giveUp);
    }
  }
}
