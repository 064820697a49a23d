import { getLogger } from "@logtape/logtape";
import { isProgramError, type Owner, reportFault } from "../../faults/fault.ts";
import { follow, owned } from "../../faults/owned.ts";
import type { Deadline } from "../../runtime/clock.ts";
import type { StreamEnd } from "../../streams/packet_stream.ts";
import { Backoff } from "./backoff.ts";
import { Link } from "../link.ts";
import type { LinkContext, LinkOwner } from "../link_context.ts";
import { type OpenedLink, openLimits, openLink } from "./open_link.ts";
import { chooseRenewal, renewalTime } from "./link_renewal.ts";
import { KnownServerCount } from "./known_server_count.ts";
import { ResolveSchedule } from "./resolve_schedule.ts";
import { ServerConnection } from "./server_connection.ts";
import { addressOf, serverKey } from "./server_key.ts";
import { attemptBegan, attemptEnded, attemptSucceeded, type Route, ServerRoutes } from "./server_routes.ts";
import { type ServerSetOptions, type ServerSetTimes, serverSetTimes } from "./server_set_options.ts";
import { SurplusLinks } from "./surplus_links.ts";
import { chooseRoutes } from "./route_choice.ts";

const log = getLogger(["agent", "servers"]);

/** What changed in a set: its links, or a link became idle. */
export type ServerSetChange = "links" | "idle";

/**
 * The agent's links, one to each server. It connects until there are as many links as known servers, replaces lost links,
 * follows changed counts, and retires surplus links. Every event calls {@link #reconcile}, which makes all decisions.
 */
export class ServerSet implements LinkOwner, Owner {
  readonly place = "servers";
  readonly #options: ServerSetOptions;
  readonly #context: LinkContext;
  readonly #times: ServerSetTimes;
  readonly #random: () => number;
  readonly #routes: ServerRoutes;
  readonly #stop = new AbortController();
  /** The links in use, by {@link ServerConnection.key}. */
  readonly #connections = new Map<string, ServerConnection>();
  /** Duplicates, renewed links and surplus ones. They close once they carry no tunnel. */
  readonly #retired = new Set<ServerConnection>();
  readonly #byLink = new Map<Link, ServerConnection>();
  /** Closed links whose endpoints still write to their destinations. */
  readonly #ending = new Set<Link>();
  readonly #onChange: (change: ServerSetChange) => void;
  #next: Deadline | undefined;
  readonly #count: KnownServerCount;
  /** The number of servers at the last decision. */
  #reconciledCount = 0;
  readonly #resolving: ResolveSchedule;
  readonly #surplus: SurplusLinks;
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
    this.#count = new KnownServerCount(options.countSource, options.counter, this.#times.recheckMs, this.#random);
    this.#resolving = new ResolveSchedule(this.#times);
    this.#surplus = new SurplusLinks(this.#times.surplusMs);
    this.#routes = new ServerRoutes(options.hosts, options.port, options.resolve, () => new Backoff(backoff));
    options.counter?.onChange(owned(this, () => {
      if (this.serverCount > this.#reconciledCount) this.#announced();
      this.#reconcile();
    }));
  }

  /** {@link Owner}: the links stay, and the next reconciliation follows after the interval. */
  faulted(): void {
    this.#resolving.done();
    this.#next?.cancel();
    this.#next = this.#context.clock.after(this.#options.syncIntervalMs, () => this.#reconcile(), this);
  }

  /** Starts to connect. */
  start(): void {
    this.#count.answered(this.#now());
    this.#reconcile();
  }

  // ---- for the owner ----

  /** Servers that the agent should be linked to. */
  get serverCount(): number {
    return this.#count.of(this.#connections.values());
  }

  /** Links that are up, one a server. */
  get connections(): ReadonlyMap<string, ServerConnection> {
    return this.#connections;
  }

  /** Duplicates, renewed links and surplus ones, which close once they carry no tunnel. */
  get retired(): ReadonlySet<ServerConnection> {
    return this.#retired;
  }

  /** The ways to servers, as they were resolved last. */
  get routes(): readonly Route[] {
    return this.#routes.all;
  }

  /** Every link that carries tunnels or may: retired ones too, and closed ones whose endpoints still write. */
  *links(): IterableIterator<Link> {
    for (const connection of this.#connections.values()) yield connection.link;
    for (const connection of this.#retired) yield connection.link;
    yield* this.#ending;
  }

  /**
   * Asks every server to prefer other agents; later links send DRAIN as their first packet. Lost links are still
   * replaced: the agent serves what no other agent can.
   */
  drain(): void {
    this.#draining = true;
    for (const link of this.links()) link.drain();
  }

  /** Closes every link in order, and connects no more. */
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
    this.#next?.cancel();
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
    const { key } = connection;
    connection.route.links--;
    if (!link.idle) this.#ending.add(link);
    if (this.#retired.delete(connection)) {
      log.debug("closed the spare link to server {serverId}", { serverId });
    } else if (this.#connections.get(key) === connection) {
      // Compared by instance: a renewed link may have replaced it under the same key.
      this.#connections.delete(key);
      const why = end.kind === "failed" ? end.error.message : "server ended the link";
      const level = this.#stop.signal.aborted ? "debug" : "warn";
      log[level]("lost server {serverId}: {why}; {links} of {servers} links left", {
        serverId,
        why,
        links: this.#connections.size,
        servers: this.serverCount,
      });
      // Jitter, so that the agents of a lost server do not reconnect at once.
      const soon = this.#now() + this.#options.syncIntervalMs / 2 * this.#random();
      connection.route.notBefore = Math.max(connection.route.notBefore, soon);
      this.#routes.serverLost(this.#now());
    }
    this.#context.events.linkClosed(connection, end, this.#stop.signal.aborted);
    this.#onChange("links");
    this.#reconcile();
  }

  // ---- decisions ----

  /** Makes every decision that is due and sets the timer for the next. */
  #reconcile(): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#now();
    if (this.serverCount !== this.#reconciledCount) {
      this.#reconciledCount = this.serverCount;
      this.#routes.retryDuplicates(now);
      // A name may have gained the new server's address.
      this.#resolving.expire();
    }
    this.#resolve(now);
    this.#retireSurplus(now);
    // An agent that drains replaces what it loses, and searches for nothing else.
    const recheckAt = this.#draining ? Infinity : this.#count.recheckAt;
    const recheck = now >= recheckAt;
    const missing = this.#missing;
    if (missing <= 0) this.#routes.resetBackoff();
    const choice = chooseRoutes(this.#routes.all, {
      now,
      missing: this.#options.syncForever && !this.#draining ? Math.max(1, missing) : missing,
      recheck,
      againAt: this.#routes.againAt,
    });
    const renewal = this.#draining ? undefined : chooseRenewal(this.#connections.values(), now);
    for (const route of choice.due) follow(this, this.#attempt(route));
    const renewed = renewal?.route;
    if (renewed !== undefined && !choice.due.includes(renewed)) follow(this, this.#attempt(renewed));
    const next = Math.min(
      choice.nextAt,
      renewal?.nextAt ?? Infinity,
      this.#resolving.nextAt(now, this.#missing > 0),
      recheck ? Infinity : recheckAt,
      this.#surplus.nextAt,
    );
    this.#next?.cancel();
    if (next < Infinity) {
      this.#next = this.#context.clock.after(Math.max(1, next - now), () => this.#reconcile(), this);
    }
  }

  /** Servers without a link; negative when there is a surplus. */
  get #missing(): number {
    return this.serverCount - this.#connections.size;
  }

  #resolve(now: number): void {
    if (this.#resolving.nextAt(now, this.#missing > 0) > now) return;
    this.#resolving.begin(now);
    follow(this, this.#resolved(this.#routes.refresh()));
  }

  async #resolved(refreshed: Promise<void>): Promise<void> {
    await refreshed;
    this.#resolving.done();
    this.#reconcile();
  }

  async #attempt(route: Route): Promise<void> {
    const { identity, transport } = this.#options;
    attemptBegan(route, this.#now());
    const address = addressOf(route);
    let opened: OpenedLink | undefined;
    try {
      const limits = this.#options.openLimits ?? openLimits;
      opened = await openLink(transport, route.target, identity, this.#context.clock, this.#stop.signal, limits);
      if (this.#stop.signal.aborted) {
        opened.connection.close();
        return;
      }
      this.#count.answered(this.#now(), opened.serverCount);
      const key = serverKey(this.#connections.values(), route, opened);
      const known = this.#connections.get(key);
      const isWanted = known === undefined || this.#isDue(known);
      attemptSucceeded(route, isWanted);
      if (!isWanted) this.#routes.duplicateFound(this.#now(), this.serverCount);
      this.#add(key, route, opened, known);
    } catch (error) {
      route.outcome = "failed";
      if (this.#stop.signal.aborted) return;
      const refusal = error instanceof Error ? error : new Error(String(error));
      // This program failed, not the server: the connection that was opened is not kept.
      if (opened !== undefined || isProgramError(error)) reportFault("servers", error);
      opened?.connection.close();
      // A failure that repeats is a warning only once.
      const level = route.failure === refusal.message ? "debug" : "warn";
      route.failure = refusal.message;
      log[level]("cannot connect to server at {address}: {reason}", { address, reason: refusal.message });
      this.#context.events.linkFailed(address, refusal.message);
    } finally {
      attemptEnded(route, this.#now(), this.serverCount);
    }
    this.#reconcile();
  }

  #add(key: string, route: Route, opened: OpenedLink, known: ServerConnection | undefined): void {
    const { serverId, serverCount, features } = opened;
    const about = { serverId, address: addressOf(route), link: opened.connection.direct ? "direct" : "grpc" };
    const link = new Link(opened.stream, { serverId, features }, this.#context, this);
    const connection = new ServerConnection(key, route, link, opened, {
      keepalive: this.#options.keepalive,
      quietMs: this.#times.quietMs,
      renewAt: renewalTime(this.#now(), this.#options.maxLinkAgeMs ?? 0, this.#random),
      clock: this.#context.clock,
    });
    route.links++;
    this.#byLink.set(link, connection);
    const renews = known !== undefined && this.#isDue(known);
    if (renews) {
      this.#connections.set(key, connection);
      this.#retired.add(known);
      log.info("renewed the link to server {serverId} at {address}", about);
    } else if (known === undefined) {
      this.#connections.set(key, connection);
      log.info("connected to server {serverId} at {address}: {links} of {servers} links", {
        ...about,
        links: this.#connections.size,
        servers: this.serverCount,
      });
    } else {
      known.serverCount = serverCount;
      // The server may have lost the older link without this side having noticed.
      known.probeNow();
      this.#retired.add(connection);
    }
    this.#context.events.linkOpened(connection);
    connection.start();
    follow(this, connection.renewOnceLeaving(this.#options, this.#random).then(() => this.#reconcile()));
    if (this.#draining) link.drain();
    if (renews) known.retire();
    else if (known !== undefined) connection.retireDuplicate();
    this.#onChange("links");
  }

  /** Another link to the same server should take this one's place. */
  #isDue({ renewAt }: ServerConnection): boolean {
    return renewAt <= this.#now() && !this.#draining;
  }

  /** Retires links, idle ones first, once there have been more than servers for a while. */
  #retireSurplus(now: number): void {
    for (;;) {
      // Several addresses were given or resolved: each may be linked to, whatever the servers report of their number.
      const allowed = Math.max(this.serverCount, this.#routes.explicitCount > 1 ? this.#routes.explicitCount : 0);
      const surplus = this.#surplus.choose(this.#connections, this.#options.syncForever ? Infinity : allowed, now);
      if (surplus === undefined) return;
      this.#connections.delete(surplus.key);
      this.#retired.add(surplus);
      surplus.retire();
      log.info("gave up the link to server {serverId}: there are {servers} servers", {
        serverId: surplus.link.server.serverId,
        servers: this.serverCount,
      });
      this.#onChange("links");
    }
  }

  /** The counter reports more servers: the new one's address may be resolvable any moment. */
  #announced(): void {
    this.#resolving.announced(this.#now());
    this.#routes.hurry(this.#now());
  }

  #now(): number {
    return this.#context.clock.now();
  }
}
