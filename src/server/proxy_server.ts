import type { Clock } from "../runtime/clock.ts";
import type { KeepaliveOptions } from "../liveness/keepalive.ts";
import { PacketCounts } from "../wire/packet_counts.ts";
import type { AllowedNames } from "../wire/destination/allowed_names.ts";
import { flowLimits } from "../mux/flow_limits.ts";
import { GrowthBudget } from "../streams/growth_budget.ts";
import { Admission } from "./admission.ts";
import { AgentService, type Authenticate } from "./agents/agent_service.ts";
import { type AuditSink, AuditTrail } from "./audit_trail.ts";
import type { Backend } from "./backend.ts";
import { BackendPool } from "./backend_pool.ts";
import { ConnectFrontend } from "./frontends/http_connect_frontend.ts";
import type { DialPolicy } from "./dial_policy.ts";
import type { DialTracer } from "./dial_record.ts";
import { ProxyService } from "./frontends/proxy_service.ts";
import type { ProbeReport } from "./probes/destination_probe.ts";
import { DestinationProbes, type ProbeOptions } from "./probes/destination_probes.ts";
import type { ServerEvents, ServerGauges, ServerSegment } from "./server_events.ts";
import type { StrategyName } from "./strategies.ts";

/** What the proxy-server's core needs to know; listeners, files and flags are the composition's. */
export interface ProxyServerOptions {
  readonly serverId: string;
  /** Read for each agent that connects. */
  readonly serverCount: () => number;
  readonly strategies: readonly StrategyName[];
  /** Milliseconds that an agent may take to answer a dial; 0 waits for ever. */
  readonly dialTimeoutMs: number;
  /** How old an agent's link may become, in milliseconds; absent or 0: as old as it likes. */
  readonly maxLinkAgeMs?: number;
  readonly clock: Clock;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
  /** When agents are pinged that may be behind an HTTP proxy; absent: never. */
  readonly keepalive?: KeepaliveOptions;
  readonly events: ServerEvents;
  /** Called when an agent came or went, or the server began to drain: {@link ProxyServer.notReady} may have changed. */
  readonly onChange?: () => void;
  /** Absent: the agent listener's TLS decides alone. */
  readonly authenticate?: Authenticate;
  /** Of the certificates of those who may be clients, and agents; absent: whoever the listener lets in. */
  readonly clientNames?: AllowedNames;
  readonly agentNames?: AllowedNames;
  /** What clients may reach; absent: everything, over tcp. */
  readonly policy?: DialPolicy;
  /** Refuse agents that claim an identifier which neither their certificate nor their token bears. */
  readonly bindIdentifiers?: boolean;
  /** Takes the lines of the audit log; absent: there is none. */
  readonly audit?: AuditSink;
  /** Traces dials; absent: nothing is traced. */
  readonly tracer?: DialTracer;
  /** What all receive windows may grow by together; absent: the default. */
  readonly growth?: GrowthBudget;
  /** Destinations that the server dials to see whether they can be reached; absent: none. */
  readonly probes?: ProbeOptions;
}

/** Why a server without agents should get no traffic. */
export const noAgentConnected = "no connection to any proxy agent";

/** The proxy-server without its sockets: agents in, clients in, tunnels between them. */
export class ProxyServer implements ServerGauges {
  readonly pool: BackendPool;
  readonly agents: AgentService;
  readonly proxy: ProxyService;
  readonly connect: ConnectFrontend;
  /** Begin with {@link DestinationProbes.start}, and end when the server drains. */
  readonly probes: DestinationProbes;
  /** What all receive windows may grow by together, those of listeners too. */
  readonly growth: GrowthBudget;
  readonly packets: Readonly<Record<ServerSegment, PacketCounts>> = {
    from_client: new PacketCounts(),
    to_client: new PacketCounts(),
    from_agent: new PacketCounts(),
    to_agent: new PacketCounts(),
  };
  readonly #onChange: () => void;
  #draining = false;

  constructor(options: ProxyServerOptions) {
    const { clock } = options;
    this.growth = options.growth ?? new GrowthBudget(flowLimits.growthBudgetBytes);
    this.#onChange = options.onChange ?? (() => {});
    const audit = options.audit === undefined ? undefined : new AuditTrail(options.audit, clock);
    const random = options.random ?? Math.random;
    this.pool = new BackendPool(options.strategies, options.events, {
      clock,
      random,
      onChange: () => {
        this.probes.agentsChanged();
        this.#onChange();
      },
      ...(audit === undefined ? {} : { audit }),
      ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
      ...(options.policy === undefined ? {} : { policy: options.policy }),
    });
    this.agents = new AgentService(this.pool, {
      serverId: options.serverId,
      serverCount: options.serverCount,
      dialTimeoutMs: options.dialTimeoutMs,
      maxLinkAgeMs: options.maxLinkAgeMs ?? 0,
      ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
      clock,
      events: options.events,
      admission: new Admission("agent", options.agentNames, options.events),
      bindIdentifiers: options.bindIdentifiers ?? false,
      asksResolved: options.audit !== undefined,
      traces: options.tracer !== undefined,
      growth: this.growth,
      random,
      ...(options.authenticate === undefined ? {} : { authenticate: options.authenticate }),
    });
    this.probes = new DestinationProbes(this.pool, clock, options.probes, this.#onChange);
    const clients = new Admission("client", options.clientNames, options.events);

    this.proxy = new ProxyService(this.pool, clients, options.events, clock, audit);
    this.connect = new ConnectFrontend(this.pool, clients, clock, audit);
  }

  /** The server takes no new agents and tunnels. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Why the server should get no traffic now; undefined when it should. */
  get notReady(): string | undefined {
    if (this.#draining) return "proxy server is shutting down";
    return this.pool.ready ? this.probes.notReady : noAgentConnected;
  }

  /** Refuses new agents and new tunnels; those that are open run on. */
  drain(): void {
    this.#draining = true;
    this.probes.stop();
    this.agents.drain();
    this.pool.drain();
    this.#onChange();
  }

  /** Ends every tunnel; clients learn why. */
  closeTunnels(error: string): void {
    for (const backend of [...this.pool.all()]) backend.closeTunnels(error);
  }

  // ---- ServerGauges ----

  get proxyCalls(): number {
    return this.proxy.callCount;
  }

  get connectCalls(): number {
    return this.agents.callCount;
  }

  get linksOpened(): number {
    return this.pool.added;
  }

  get connectRequests(): number {
    return this.connect.requestCount;
  }

  get pendingDials(): number {
    return this.#sum((backend) => backend.pendingDials) - this.probes.pendingDials;
  }

  get establishedTunnels(): number {
    return this.#sum((backend) => backend.tunnelCount) - this.probes.tunnels;
  }

  probeReports(): Iterable<ProbeReport> {
    return this.probes.reports();
  }

  get heldClientStreams(): number {
    return this.proxy.heldClients + this.connect.heldClients;
  }

  get heldAgentStreams(): number {
    return this.#sum((backend) => backend.stalled ? 1 : 0);
  }

  get queuedBytes(): number {
    return this.#sum((backend) => backend.queuedBytes);
  }

  readyBackends(strategy: StrategyName): number {
    return this.pool.readyBackends(strategy);
  }

  *backends(): IterableIterator<{ readonly agentId: string; readonly tunnels: number; readonly draining: boolean }> {
    const own = this.probes.tunnelsByAgent();
    for (const { info, tunnelCount, draining } of this.pool.all()) {
      yield { agentId: info.agentId, tunnels: tunnelCount - (own.get(info) ?? 0), draining };
    }
  }

  #sum(of: (backend: Backend) => number): number {
    let sum = 0;
    for (const backend of this.pool.all()) sum += of(backend);
    return sum;
  }
}
