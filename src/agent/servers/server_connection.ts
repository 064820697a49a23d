import { Code, ConnectError } from "@connectrpc/connect";
import type { Owner } from "../../faults/fault.ts";
import { follow } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { Keepalive, type KeepaliveOptions } from "../../liveness/keepalive.ts";
import type { Link } from "../link.ts";
import { leavingTime } from "./link_renewal.ts";
import type { OpenedLink } from "./open_link.ts";
import type { Route } from "./server_routes.ts";

/** How a server connection is run. */
export interface ServerConnectionOptions {
  readonly keepalive: KeepaliveOptions;
  /** How long a retired link must be idle before it is closed, in milliseconds. */
  readonly quietMs: number;
  /** When another link should take this one's place, on the clock; Infinity: never. */
  readonly renewAt: number;
  readonly clock: Clock;
}

/** One link with its connection, its keepalive, and its retirement. */
export class ServerConnection implements Owner {
  readonly place = "link";
  /** Its key in the set of servers: the server's id, with its address where another server has the same id. */
  readonly key: string;
  readonly route: Route;
  readonly link: Link;
  /** How many servers there are, by the server's latest report. */
  serverCount: number;
  /** When another link to the same server should take its place. */
  renewAt: number;
  readonly #opened: OpenedLink;
  readonly #options: ServerConnectionOptions;
  readonly #keepalive: Keepalive;
  #retired = false;
  #closed = false;
  #quiet: Deadline | undefined;

  constructor(key: string, route: Route, link: Link, opened: OpenedLink, options: ServerConnectionOptions) {
    this.key = key;
    this.route = route;
    this.link = link;
    this.serverCount = opened.serverCount;
    this.#opened = opened;
    this.#options = options;
    this.renewAt = options.renewAt;
    const seconds = options.keepalive.timeoutMs / 1000;
    this.#keepalive = new Keepalive(
      {
        get activity() {
          return link.activity;
        },
        probe: () => opened.connection.probe(opened.features.size === 0),
        onTimeout: () => this.destroy(new ConnectError(`server has not answered for ${seconds} s`, Code.Unavailable)),
      },
      options.keepalive,
      options.clock,
    );
  }

  /**
   * Whether a server with the same id, reached over another route or again, is this one: it has the same address, where a
   * new certificate is a renewed one, or the same names in its certificate.
   */
  isSame(route: Route, serverNames: string): boolean {
    return this.route.target.host === route.target.host || this.#opened.connection.serverNames === serverNames;
  }

  /** It closes once it carries no tunnel: another link has taken its place, or there are too many. */
  get retired(): boolean {
    return this.#retired;
  }

  start(): void {
    this.#keepalive.start();
    this.link.start();
  }

  /**
   * Waits until the server, or a balancer before it, says that it goes away, which takes the link with it soon or late, and
   * has another one take its place meanwhile.
   */
  async renewOnceLeaving(
    times: { readonly syncIntervalMs: number; readonly syncIntervalCapMs: number },
    random: () => number,
  ): Promise<void> {
    await this.#opened.connection.leaving;
    this.renewAt = Math.min(this.renewAt, leavingTime(this.#options.clock.now(), this.link.since, times, random));
  }

  /** Probes the server now. */
  probeNow(): void {
    this.#keepalive.probeNow();
  }

  /** Drains the link: the server is asked to use another, and the link closes once it carries no tunnel. */
  retire(): void {
    this.#retired = true;
    this.link.drain();
    this.idle();
  }

  /**
   * Drains a link to a server that has another one of this agent, and closes it as soon as no dial can be in flight on it:
   * a server of this project answers a probe behind all that it sent before it read DRAIN, and dials through no link that
   * drains while there is another. Others get the time of every retired link.
   */
  retireDuplicate(): void {
    this.retire();
    if (this.#opened.features.size === 0) return;
    const probed = this.#opened.connection.probe(false).then(() => {
      if (!this.#closed && this.link.idle) this.link.close("agent has another link to this server");
    }, () => {});
    follow(this, probed);
  }

  /** The link may have become idle. */
  idle(): void {
    if (!this.#retired || this.#closed) return;
    this.#quiet?.cancel();
    if (!this.link.idle) return;
    // A dial may be in flight that the server sent before it received the drain.
    this.#quiet = this.#options.clock.after(this.#options.quietMs, () => {
      if (this.link.idle) this.link.close("agent gave up this link");
    }, this);
  }

  /** Drops the link at once. */
  destroy(error: Error): void {
    this.link.destroy(error);
    this.#opened.connection.close();
  }

  /** {@link Owner}. */
  faulted(error: Error): void {
    this.destroy(error);
  }

  /** The link is closed. */
  closed(): void {
    this.#closed = true;
    this.#keepalive.stop();
    this.#quiet?.cancel();
    this.#opened.connection.close();
  }
}
