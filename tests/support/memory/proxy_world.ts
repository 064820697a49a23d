import { Code, ConnectError } from "@connectrpc/connect";
import { agentLimits } from "../../../src/agent/agent_limits.ts";
import type { AgentTracer } from "../../../src/agent/dial_span.ts";
import type { DialResult } from "../../../src/agent/dialler.ts";
import { ProxyAgent } from "../../../src/agent/proxy_agent.ts";
import type { LinkConnection } from "../../../src/agent/servers/open_link.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import { keepAlive } from "../../../src/net/http2/keepalive.ts";
import type { ProxyServerOptions } from "../../../src/server/proxy_server.ts";
import { PacketCounts } from "../../../src/wire/packet_counts.ts";
import { unknownPeer } from "../../../src/wire/peer_identity.ts";
import { turns, type VirtualClock } from "../fakes/virtual_clock.ts";
import { AgentEventLog, FakeSocket } from "./link_world.ts";
import { packetPair, PairEnd } from "./packet_pair.ts";
import { ServerWorld } from "./server_world.ts";

/** How long a destination takes to be connected to, in milliseconds. */
export const connectMs = 40;

/** How often a server pings its agents: the programs' default. */
const serverKeepaliveMs = 10_000;

/** A link that was made, as the network sees it. */
export interface WorldLink {
  readonly near: PairEnd;
  readonly far: PairEnd;
  cut: boolean;
  readonly settle: () => void;
}

/**
 * The whole core of a server and the whole core of an agent, with a network in memory between them, on one clock that the
 * test turns. Only sockets, files and processes are missing; later more of either can be put on the same clock.
 */
export class ProxyWorld {
  readonly serverWorld: ServerWorld;
  readonly agent: ProxyAgent;
  readonly agentEvents = new AgentEventLog();
  /** In the order in which they were made. */
  readonly links: WorldLink[] = [];
  /** When links were tried, on the clock. */
  readonly attempts: number[] = [];
  /** Connections to destinations, in the order in which they were made. */
  readonly sockets: FakeSocket[] = [];
  /** Dials of destinations that never answer, given up or not. */
  readonly silent: AbortSignal[] = [];
  /** Destinations that refuse connections. */
  readonly refusing = new Set<string>();
  /** There is a network between agent and server. */
  connected = true;

  /** @param agentTracer absent: the agent traces nothing */
  constructor(options: Partial<Omit<ProxyServerOptions, "clock">> = {}, agentTracer?: AgentTracer) {
    this.serverWorld = new ServerWorld(options);
    this.agent = new ProxyAgent({
      dial: (_network, address, { signal }) => this.#dial(address, signal),
      clock: this.clock,
      events: this.agentEvents,
      packets: { from_agent: new PacketCounts(), to_agent: new PacketCounts() },
      limits: agentLimits,
      ...(agentTracer === undefined ? {} : { tracer: agentTracer }),
      servers: {
        hosts: ["server"],
        port: 8091,
        identity: { agentId: "agent-1", identifiers: "", traces: agentTracer !== undefined },
        transport: () => this.#connect(),
        resolve: (host) => Promise.resolve([host]),
        syncIntervalMs: 1_000,
        syncIntervalCapMs: 10_000,
        syncForever: false,
        keepalive: { timeMs: 10_000, timeoutMs: 10_000 },
        countSource: "default",
        random: () => 0.5,
      },
    });
  }

  get clock(): VirtualClock {
    return this.serverWorld.clock;
  }

  /** Links that are open, as the server sees it. */
  get open(): readonly WorldLink[] {
    return this.links.filter(({ near }) => near.closed === undefined);
  }

  /** Lets time pass, in which everything that is sent arrives at once. */
  async run(ms: number): Promise<void> {
    await this.clock.run(ms, () => this.settle());
  }

  /** Lets everything that is in flight arrive, and what follows from it. */
  async settle(): Promise<void> {
    for (let before = ""; before !== this.#progress();) {
      before = this.#progress();
      this.serverWorld.settle();
      for (const { settle } of this.links) settle();
      await turns();
    }
  }

  /** The network is gone: what is sent is lost, and nobody is notified. */
  cut(): void {
    this.connected = false;
    for (const link of this.links) {
      link.cut = true;
      PairEnd.cut(link.near, link.far);
    }
  }

  #progress(): string {
    const { server } = this.serverWorld;
    const inFlight = this.links.filter(({ cut }) => !cut).map(({ near, far }) => `${near.pending} ${far.pending}`);
    return [
      ...inFlight,
      this.sockets.length,
      this.open.length,
      server.pool.size,
      server.establishedTunnels,
      this.agent.serverConnections,
      this.agent.endpointConnections,
    ].join();
  }

  #dial(address: string, signal: AbortSignal): Promise<DialResult> {
    if (address.startsWith("silent:")) {
      this.silent.push(signal);
      return new Promise(() => {});
    }
    return new Promise((resolve) => {
      this.clock.after(connectMs, () => {
        if (this.refusing.has(address)) {
          return resolve({
            ok: false,
            failure: { reason: "unknown", message: `dial tcp ${address}: connection refused` },
          });
        }
        const socket = new FakeSocket();
        this.sockets.push(socket);
        resolve({ ok: true, stream: socket });
      }, ownerOf("dial"));
    });
  }

  #connect(): Promise<LinkConnection> {
    this.attempts.push(this.clock.now());
    if (!this.connected) return Promise.reject(new ConnectError("no route to host", Code.Unavailable));
    const pair = packetPair();
    const link: WorldLink = { near: pair.near, far: pair.far, cut: false, settle: pair.settle };
    this.links.push(link);
    return Promise.resolve({
      serverNames: "server",
      direct: true,
      leaving: new Promise(() => {}),
      open: (metadata) => ({ stream: link.far, metadata: this.#call(link, metadata) }),
      probe: () => link.cut ? new Promise<void>(() => {}) : Promise.resolve(),
      // What was ended in order arrives still.
      close: () => void (link.far.closed === undefined && link.far.lose()),
    });
  }

  /** The agent's call at the server, as a listener hands it over: with its keepalive. */
  #call(
    link: WorldLink,
    metadata: Readonly<Record<string, string>>,
  ): Promise<(key: string) => readonly string[]> {
    const { near } = link;
    const values = (from: Readonly<Record<string, string>>) => (key: string) =>
      from[key] === undefined ? [] : [from[key]];
    return new Promise((resolve, reject) => {
      this.serverWorld.server.agents.handle({
        peer: unknownPeer,
        metadata: values(metadata),
        signal: new AbortController().signal,
        accept: (headers) => {
          keepAlive(
            {
              get destroyed() {
                return near.closed !== undefined;
              },
              get bytesRead() {
                return near.received;
              },
              ping: (onAnswer) => void (link.cut || queueMicrotask(onAnswer)),
              destroy: (error) => near.destroy(error),
              once: (_event, listener) => near.onClosed(listener),
            },
            serverKeepaliveMs,
            this.clock,
          );
          resolve(values(headers));
          return near;
        },
        refuse: reject,
      });
    });
  }
}
