import type { AgentEvents } from "../../../src/agent/agent_events.ts";
import { Code, ConnectError } from "@connectrpc/connect";
import { turns, VirtualClock } from "../fakes/virtual_clock.ts";
import { packetPair } from "./packet_pair.ts";
import { Peer } from "./server_world.ts";
import { AgentEventLog } from "./link_world.ts";
import { flowLimits } from "../../../src/mux/flow_limits.ts";
import { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import type { Dialler } from "../../../src/agent/dialler.ts";
import { agentLimits } from "../../../src/agent/agent_limits.ts";
import type { LinkTarget } from "../../../src/agent/servers/open_link.ts";
import { ServerSet } from "../../../src/agent/servers/server_set.ts";
import type { ServerSetOptions } from "../../../src/agent/servers/server_set_options.ts";

/** A server that answers, or what an attempt meets instead. */
export interface FakeServer {
  readonly serverId: string;
  serverCount: number;
  /** Answers attempts; else they fail. */
  up: boolean;
  refusal?: ConnectError;
  /** Never sends headers. */
  silent?: boolean;
  /** Its headers come once this is fulfilled. */
  answers?: Promise<void>;
  /** A proxy before it sends its headers together with what goes to the agent next, which is the answer to a ping. */
  withheld?: boolean;
  /** Names in its certificate. */
  names?: string;
  /** Answers probes. */
  lives?: boolean;
  /** Answers probes in another way. */
  probe?: () => Promise<void>;
  /** It says on each link, as soon as that is up, that it goes away. */
  leavesAtOnce?: boolean;
  /** Its links are direct ones. */
  direct?: boolean;
  /** Offered beyond the original's protocol; absent: none, as an original server. */
  features?: string;
}

export interface FakeLink {
  readonly server: FakeServer;
  readonly peer: Peer;
  readonly settle: () => void;
  /** Says that what is at its other end goes away. */
  readonly leave: () => void;
  closed: boolean;
}

/** An agent's set of servers, with servers in memory, a clock that the test moves and no chance. */
export class SetWorld {
  readonly clock = new VirtualClock();
  readonly attempts: string[] = [];
  readonly links: FakeLink[] = [];
  readonly metadata: Readonly<Record<string, string>>[] = [];
  readonly set: ServerSet;
  /** What the set has told of itself. */
  readonly changes: string[] = [];
  /** Which server is behind an address. */
  readonly behind = new Map<string, () => FakeServer | undefined>();
  names = new Map<string, readonly string[]>();
  token: (() => Promise<string>) | undefined;

  /** @param dial reaches destinations; absent: no dial ends */
  constructor(
    options: Partial<ServerSetOptions> = {},
    events: AgentEvents = new AgentEventLog(),
    dial: Dialler = () => new Promise(() => {}),
  ) {
    this.set = new ServerSet(
      {
        hosts: ["lb"],
        port: 8091,
        identity: { agentId: "agent-1", identifiers: "", ...(options.identity ?? {}) },
        transport: (target) => this.#connect(target),
        resolve: (host) => {
          const addresses = this.names.get(host);
          return addresses === undefined ? Promise.reject(new Error("no such host")) : Promise.resolve(addresses);
        },
        syncIntervalMs: 1000,
        syncIntervalCapMs: 10_000,
        syncForever: false,
        keepalive: { timeMs: 10_000, timeoutMs: 10_000 },
        countSource: "default",
        random: () => 0,
        ...options,
      },
      {
        dial,
        clock: this.clock,
        limits: agentLimits,
        events,
        budget: new GrowthBudget(flowLimits.growthBudgetBytes),
      },
      (what) => this.changes.push(what),
    );
  }

  /** Puts one server behind an address, always or by turns. */
  place(address: string, ...servers: FakeServer[]): void {
    let turn = 0;
    this.behind.set(address, () => servers[turn++ % servers.length]);
  }

  async run(ms: number): Promise<void> {
    for (let gone = 0; gone < ms; gone += 100) {
      this.clock.advance(Math.min(100, ms - gone));
      await turns();
      for (const link of this.links) link.settle();
      await turns();
    }
  }

  /** Ids of the servers that the set is linked to. */
  get linked(): string {
    return [...this.set.connections.keys()].sort().join(" ");
  }

  /** Links that are open, as a server sees it. */
  open(server?: FakeServer): FakeLink[] {
    return this.links.filter((link) => !link.closed && (server === undefined || link.server === server));
  }

  /** A server dies and takes its links with it. */
  kill(server: FakeServer): void {
    server.up = false;
    for (const link of this.open(server)) link.peer.stream.lose(new Error("server died"));
  }

  #connect(target: LinkTarget): ReturnType<ServerSetOptions["transport"]> {
    this.attempts.push(target.host);
    const server = this.behind.get(target.host)?.();
    if (server === undefined || !server.up) {
      return Promise.reject(new ConnectError(`cannot connect to ${target.host}`, Code.Unavailable));
    }
    const { near, far, settle } = packetPair();
    const { promise: leaving, resolve: leave } = Promise.withResolvers<void>();
    const link: FakeLink = { server, peer: new Peer(far, near), settle, leave, closed: false };
    if (server.leavesAtOnce === true) leave();
    const pinged = Promise.withResolvers<void>();
    // A server ends its side when the agent has.
    link.peer.onEnd = () => link.peer.stream.end();
    return Promise.resolve({
      serverNames: server.names ?? "",
      direct: server.direct ?? false,
      leaving,
      open: (metadata) => {
        this.metadata.push(metadata);
        this.links.push(link);
        return {
          stream: near,
          metadata: server.withheld
            ? pinged.promise.then(() => answerOf(server))
            : server.answers?.then(() => answerOf(server)) ?? answerOf(server),
        };
      },
      probe: () => {
        pinged.resolve();
        return server.probe?.() ?? (server.lives === false ? new Promise<void>(() => {}) : Promise.resolve());
      },
      close: () => {
        link.closed = true;
        near.lose();
      },
    });
  }
}

export function answerOf(server: FakeServer): Promise<(key: string) => readonly string[]> {
  if (server.refusal !== undefined) return Promise.reject(server.refusal);
  if (server.silent === true) return new Promise(() => {});
  const answer: Readonly<Record<string, string>> = {
    serverid: server.serverId,
    servercount: String(server.serverCount),
    ...(server.features === undefined ? {} : { "konnectivity-features": server.features }),
  };
  return Promise.resolve((key) => answer[key] === undefined ? [] : [answer[key]]);
}

/** A server that is up and says so. */
export const server = (serverId: string, serverCount = 1): FakeServer => ({ serverId, serverCount, up: true });

/** A world whose servers are counted by something that the test sets. */
export function countedWorld(
  first: number,
  options: Partial<ServerSetOptions> = {},
): { world: SetWorld; set(to: number): void } {
  let value = first;
  let change = () => {};
  const counter = {
    count: () => value,
    onChange: (listener: () => void) => {
      change = listener;
    },
  };
  return {
    world: new SetWorld({ counter, ...options }),
    set(to) {
      value = to;
      change();
    },
  };
}
