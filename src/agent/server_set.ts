import { getLogger } from "@logtape/logtape";
import type { StreamEnd } from "../tunnel/packet_stream.ts";
import { formatHostPort } from "../wire/host_port.ts";
import { Backoff } from "./backoff.ts";
import type { KeepaliveOptions } from "./keepalive.ts";
import { Link, type LinkContext, type LinkOwner } from "./link.ts";
import { type AgentIdentity, type LinkTransport, type OpenLimits, openLimits, openLink } from "./open_link.ts";
import { aggregateServerCount, type ServerCounter, type ServerCountSource } from "./server_count.ts";
import { ServerConnection } from "./server_connection.ts";
import { type Resolver, type Route, ServerRoutes } from "./server_routes.ts";
import { chooseRoutes } from "./route_choice.ts";

const log = getLogger(["agent", "servers"]);

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
  readonly countSource: ServerCountSource;
  /** Absent: servers are counted by their own word. */
  readonly counter?: ServerCounter;
  readonly times?: ServerSetTimes;
  readonly openLimits?: OpenLimits;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
}

/** Times that have no flag, in milliseconds. */
export interface ServerSetTimes {
  /** How long a set that is complete goes on without asking a server again how many there are; up to half as long again. */
  readonly recheckMs: number;
  /** How old an answer of the resolver may be. */
  readonly resolveMs: number;
  /** The same while a server is missing, and for `announcedMs` after it was announced: its address may follow its lease. */
  readonly missingResolveMs: number;
  readonly announcedResolveMs: number;
  readonly announcedMs: number;
  /** How long a link must be one too many before it is given up: counts waver while servers are replaced. */
  readonly surplusMs: number;
  /** How long a link that is given up must be without a tunnel before it is closed. */
  readonly quietMs: number;
}

/** What happened to a set: a link came or went, or one that carried something carries nothing now. */
export type ServerSetChange = "links" | "idle";

/** Attempts per server that may lead to servers already linked before the time between them grows. */
const luckyAttempts = 3;

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

/**
 * The agent's links, one to each server. It connects until there are as many as servers are known, notices lost links and
 * changed counts, and gives up links that are too many. What needs a decision calls {@link #look}, which makes them all.
 */
export class ServerSet implements LinkOwner {
  readonly #options: ServerSetOptions;
  readonly #context: LinkContext;
  readonly #times: ServerSetTimes;
  readonly #random: () => number;
  readonly #routes: ServerRoutes;
  readonly #stop = new AbortController();
  /** The links that count, by server id. */
  readonly #connections = new Map<string, ServerConnection>();
  /** Links that are given up: duplicates, and those that were too many. They serve what is on them, then close. */
  readonly #retired = new Set<ServerConnection>();
  readonly #byLink = new Map<Link, ServerConnection>();
  /** Links that are gone, whose last sockets still write to their destinations. */
  readonly #ending = new Set<Link>();
  readonly #onChange: (change: ServerSetChange) => void;
  #cancelTimer: () => void = () => {};
  #resolvedAt = -Infinity;
  #resolving = false;
  /** When a server was asked last. */
  #heardAt = 0;
  #recheckMs = 0;
  /** What the last server that answered said, for the time when there is no link. */
  #lastSaid = 0;
  /** The number of servers at the last decision. */
  #lookedAtCount = 0;
  /** When the counter last told of more servers. */
  #announcedAt = -Infinity;
  #surplusSince: number | undefined;
  #draining = false;

  constructor(options: ServerSetOptions, context: LinkContext, onChange: (change: ServerSetChange) => void) {
    this.#options = options;
    this.#context = context;
    this.#times = options.times ?? serverSetTimes;
    this.#random = options.random ?? Math.random;
    this.#onChange = onChange;
    const backoff = {
      intervalMs: options.syncIntervalMs,
      capMs: options.syncIntervalCapMs,
      random: this.#random,
    };
    this.#routes = new ServerRoutes(options.hosts, options.port, options.resolve, () => new Backoff(backoff));
    options.counter?.onChange(() => {
      if (this.serverCount > this.#lookedAtCount) this.#announced();
      this.#look();
    });
  }

  /** Starts to connect. */
  start(): void {
    this.#heard();
    this.#look();
  }

  // ---- what there is ----

  /** Servers that the agent should be linked to. */
  get serverCount(): number {
    let said = 0;
    for (const connection of this.#connections.values()) said = Math.max(said, connection.serverCount);
    return aggregateServerCount(
      this.#options.countSource,
      said === 0 ? this.#lastSaid : said,
      this.#options.counter?.count(),
    );
  }

  /** Links that are up, one a server. */
  get connections(): ReadonlyMap<string, ServerConnection> {
    return this.#connections;
  }

  /** Every link with something on it or to come: those that are given up too, and those that are gone but still write. */
  *links(): IterableIterator<Link> {
    for (const connection of this.#connections.values()) yield connection.link;
    for (const connection of this.#retired) yield connection.link;
    yield* this.#ending;
  }

  // ---- the end ----

  /**
   * Asks every server to prefer other agents; links that come later say so with their first packet. Lost links are made
   * anew all the same: the agent still serves what no other can.
   */
  drain(): void {
    this.#draining = true;
    for (const link of this.links()) link.drain();
  }

  /** Ends every link in order, and connects no more. */
  close(reason: string): void {
    this.#halt(reason);
    for (const link of [...this.links()]) link.close(reason);
  }

  /** Drops every link at once. */
  destroy(reason: string): void {
    this.#halt(reason);
    for (const connection of [...this.#connections.values(), ...this.#retired]) connection.destroy(new Error(reason));
    for (const link of [...this.#ending]) link.destroy(new Error(reason));
  }

  #halt(reason: string): void {
    this.#cancelTimer();
    this.#stop.abort(new Error(reason));
  }

  // ---- LinkOwner ----

  linkIdle(link: Link): void {
    this.#ending.delete(link);
    this.#byLink.get(link)?.idle();
    this.#onChange("idle");
  }

  linkClosed(link: Link, end: StreamEnd): void {
    const connection = this.#byLink.get(link);
    if (connection === undefined) return;
    this.#byLink.delete(link);
    connection.closed();
    const { serverId } = link.server;
    connection.route.links--;
    if (!link.idle) this.#ending.add(link);
    if (this.#retired.delete(connection)) {
      log.debug("closed the spare link to server {serverId}", { serverId });
    } else if (this.#connections.get(serverId) === connection) {
      // By instance: another link to the same server may have taken its place.
      this.#connections.delete(serverId);
      const why = end.kind === "failed" ? end.error.message : "server ended the link";
      const level = this.#stop.signal.aborted ? "debug" : "warn";
      log[level]("lost server {serverId}: {why}; {links} of {servers} links left", {
        serverId,
        why,
        links: this.#connections.size,
        servers: this.serverCount,
      });
      // Not all agents of a lost server at the same moment.
      const soon = this.#now() + this.#options.syncIntervalMs / 2 * this.#random();
      connection.route.notBefore = Math.max(connection.route.notBefore, soon);
      this.#mayBeLucky();
    }
    this.#onChange("links");
    this.#look();
  }

  // ---- decisions ----

  /** Makes every decision that is due and sets the timer for the next. */
  #look(): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#now();
    if (this.serverCount !== this.#lookedAtCount) {
      this.#lookedAtCount = this.serverCount;
      this.#mayBeLucky();
      // A name may have gained the new server's address.
      this.#resolvedAt = -Infinity;
    }
    this.#refresh(now);
    this.#giveUpSurplus(now);
    // Once it drains, the agent replaces what it loses and looks for nothing else.
    const recheckMs = this.#draining ? 0 : this.#recheckMs;
    const recheck = recheckMs > 0 && now - this.#heardAt >= recheckMs;
    const missing = this.serverCount - this.#connections.size;
    if (missing <= 0) { for (const route of this.#routes.all) route.backoff.calm(); }
    const choice = chooseRoutes(this.#routes.all, {
      now,
      missing: this.#options.syncForever && !this.#draining ? Math.max(1, missing) : missing,
      recheck,
    });
    for (const route of choice.due) void this.#attempt(route);
    let next = choice.nextAt;
    next = Math.min(next, this.#resolvedAt + this.#resolveMs);
    if (recheckMs > 0 && !recheck) next = Math.min(next, this.#heardAt + recheckMs);
    if (this.#surplusSince !== undefined) next = Math.min(next, this.#surplusSince + this.#times.surplusMs);
    this.#cancelTimer();
    if (next < Infinity) this.#cancelTimer = this.#context.clock.after(Math.max(1, next - now), () => this.#look());
  }

  /** While a server is missing, its address may appear at any moment. */
  get #resolveMs(): number {
    const { resolveMs, missingResolveMs, announcedResolveMs, announcedMs } = this.#times;
    if (this.serverCount <= this.#connections.size) return resolveMs;
    const announced = this.#now() - this.#announcedAt < announcedMs;
    return Math.min(resolveMs, announced ? announcedResolveMs : missingResolveMs);
  }

  #refresh(now: number): void {
    if (this.#resolving || now - this.#resolvedAt < this.#resolveMs) return;
    this.#resolving = true;
    this.#resolvedAt = now;
    void this.#routes.refresh().then(() => {
      this.#resolving = false;
      this.#look();
    });
  }

  async #attempt(route: Route): Promise<void> {
    const { identity, transport } = this.#options;
    route.attempting = true;
    route.attemptedAt = this.#now();
    const address = formatHostPort(route.target.host, route.target.port);
    try {
      const limits = this.#options.openLimits ?? openLimits;
      const { clock } = this.#context;
      const opened = await openLink(transport, route.target, identity, clock, this.#stop.signal, limits);
      if (this.#stop.signal.aborted) {
        opened.connection.close();
        return;
      }
      this.#heard();
      this.#lastSaid = opened.serverCount;
      const known = this.#connections.get(opened.serverId);
      route.failure = undefined;
      route.outcome = known === undefined ? "linked" : "duplicate";
      // In a hurry nobody counts: a load balancer may need a while to know a new server.
      if (known === undefined) route.duplicates = 0;
      else if (!route.backoff.hurried) route.duplicates++;
      this.#add(route, opened, known);
    } catch (error) {
      route.outcome = "failed";
      if (this.#stop.signal.aborted) return;
      const refusal = error instanceof Error ? error : new Error(String(error));
      // The same failure again and again is told once.
      const level = route.failure === refusal.message ? "debug" : "warn";
      route.failure = refusal.message;
      log[level]("cannot connect to server at {address}: {reason}", { address, reason: refusal.message });
    } finally {
      route.attempting = false;
      // Chance finds one of n servers behind a load balancer in few times n attempts, or it is not there.
      const unlucky = route.duplicates > luckyAttempts * this.serverCount;
      const wait = route.outcome === "failed" || unlucky ? route.backoff.failed() : route.backoff.succeeded();
      route.notBefore = this.#now() + wait;
    }
    this.#look();
  }

  #add(route: Route, opened: Awaited<ReturnType<typeof openLink>>, known: ServerConnection | undefined): void {
    const { serverId, serverCount, features } = opened;
    const link = new Link(opened.stream, { serverId, features }, this.#context, this);
    const connection = new ServerConnection(route, link, opened, {
      keepalive: this.#options.keepalive,
      quietMs: this.#times.quietMs,
      clock: this.#context.clock,
    });
    route.links++;
    this.#byLink.set(link, connection);
    if (known === undefined) {
      this.#connections.set(serverId, connection);
      log.info("connected to server {serverId} at {address}: {links} of {servers} links", {
        serverId,
        address: formatHostPort(route.target.host, route.target.port),
        links: this.#connections.size,
        servers: this.serverCount,
      });
    } else {
      known.serverCount = serverCount;
      // If the server knows no more of the older link, it is lost and nobody has noticed yet.
      known.doubt();
      this.#retired.add(connection);
    }
    connection.start();
    if (this.#draining) link.drain();
    if (known !== undefined) connection.retire();
    this.#onChange("links");
  }

  /** Closes a link when there have been too many for a while: an idle one if there is, else the one with fewest tunnels. */
  #giveUpSurplus(now: number): void {
    const explicit = this.#routes.all.filter((route) => !route.spare).length;
    // Several addresses were given or resolved: each may be linked to, whatever the servers say of their number.
    const allowed = Math.max(this.serverCount, explicit > 1 ? explicit : 0);
    if (this.#options.syncForever || this.#connections.size <= allowed) {
      this.#surplusSince = undefined;
      return;
    }
    this.#surplusSince ??= now;
    if (now - this.#surplusSince < this.#times.surplusMs) return;
    let victim: ServerConnection | undefined;
    for (const connection of this.#connections.values()) {
      if (victim === undefined || connection.link.load < victim.link.load) victim = connection;
    }
    if (victim === undefined) return;
    this.#connections.delete(victim.link.server.serverId);
    this.#retired.add(victim);
    victim.retire();
    log.info("gave up the link to server {serverId}: there are {servers} servers", {
      serverId: victim.link.server.serverId,
      servers: this.serverCount,
    });
    this.#onChange("links");
    this.#giveUpSurplus(now);
  }

  /** A server has answered: the next one need not be asked for a while, and not by all agents at once. */
  #heard(): void {
    this.#heardAt = this.#now();
    const asked = this.#options.counter === undefined || this.#options.countSource === "max";
    this.#recheckMs = asked ? this.#times.recheckMs * (1 + this.#random() / 2) : 0;
  }

  /** Servers or their number have changed: attempts over each route may lead elsewhere now. */
  #mayBeLucky(): void {
    for (const route of this.#routes.all) {
      if (route.duplicates === 0) continue;
      route.duplicates = 0;
      route.notBefore = Math.min(route.notBefore, this.#now() + route.backoff.succeeded());
    }
  }

  /** There is a server more by its lease: behind an address that failed, or the one address, which may be a balancer's. */
  #announced(): void {
    this.#announcedAt = this.#now();
    const { all } = this.#routes;
    for (const route of all.length > 1 ? all.filter(({ links }) => links === 0) : all) {
      route.backoff.hurry();
      route.notBefore = Math.min(route.notBefore, this.#announcedAt);
    }
  }

  #now(): number {
    return this.#context.clock.now();
  }
}
