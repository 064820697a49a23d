import { PacketCounts } from "../wire/packet_counts.ts";
import { AgentService, type Authenticate } from "./agent_service.ts";
import type { Backend } from "./backend.ts";
import { BackendPool } from "./backend_pool.ts";
import { ConnectFrontend } from "./connect_frontend.ts";
import { ProxyService } from "./proxy_service.ts";
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
  readonly events: ServerEvents;
  /** Called when an agent came or went, or the server began to drain: {@link ProxyServer.notReady} may have changed. */
  readonly onChange?: () => void;
  /** Absent: the agent listener's TLS decides alone. */
  readonly authenticate?: Authenticate;
}

/** The proxy-server without its sockets: agents in, clients in, tunnels between them. */
export class ProxyServer implements ServerGauges {
  readonly pool: BackendPool;
  readonly agents: AgentService;
  readonly proxy: ProxyService;
  readonly connect: ConnectFrontend;
  readonly packets: Readonly<Record<ServerSegment, PacketCounts>> = {
    from_client: new PacketCounts(),
    to_client: new PacketCounts(),
    from_agent: new PacketCounts(),
    to_agent: new PacketCounts(),
  };
  readonly #onChange: () => void;
  #draining = false;

  constructor(options: ProxyServerOptions) {
    this.#onChange = options.onChange ?? (() => {});
    this.pool = new BackendPool(options.strategies, options.events, { onChange: this.#onChange });
    this.agents = new AgentService(this.pool, {
      serverId: options.serverId,
      serverCount: options.serverCount,
      dialTimeoutMs: options.dialTimeoutMs,
      events: options.events,
      ...(options.authenticate === undefined ? {} : { authenticate: options.authenticate }),
    });
    this.proxy = new ProxyService(this.pool, options.events);
    this.connect = new ConnectFrontend(this.pool);
  }

  /** The server takes no new agents and tunnels. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Why the server should get no traffic now; undefined when it should. */
  get notReady(): string | undefined {
    if (this.#draining) return "proxy server is shutting down";
    return this.pool.ready ? undefined : "no connection to any proxy agent";
  }

  /** Refuses new agents and new tunnels; those that are open run on. */
  drain(): void {
    this.#draining = true;
    this.agents.drain();
    this.pool.drain();
    this.#onChange();
  }

  /** Ends every tunnel; clients are told why. */
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

  get connectRequests(): number {
    return this.connect.requestCount;
  }

  get pendingDials(): number {
    return this.#sum((backend) => backend.pendingDials);
  }

  get establishedTunnels(): number {
    return this.#sum((backend) => backend.tunnelCount);
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
    for (const backend of this.pool.all()) {
      yield { agentId: backend.info.agentId, tunnels: backend.tunnelCount, draining: backend.draining };
    }
  }

  #sum(of: (backend: Backend) => number): number {
    let sum = 0;
    for (const backend of this.pool.all()) sum += of(backend);
    return sum;
  }
}
