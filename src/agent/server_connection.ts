import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "./clock.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";
import type { Link } from "./link.ts";
import type { OpenedLink } from "./open_link.ts";
import type { Route } from "./server_routes.ts";

/** What a server connection is run by. */
export interface ServerConnectionOptions {
  readonly keepalive: KeepaliveOptions;
  /** How long a link that is given up must be idle before it is closed, in milliseconds. */
  readonly quietMs: number;
  readonly clock: Clock;
}

/** One link with what keeps it: its connection, its keepalive, and its end when it is given up. */
export class ServerConnection {
  readonly route: Route;
  readonly link: Link;
  /** What the server said last of how many servers there are. */
  serverCount: number;
  readonly #opened: OpenedLink;
  readonly #options: ServerConnectionOptions;
  readonly #keepalive: Keepalive;
  #retired = false;
  #closed = false;
  #cancelQuiet: () => void = () => {};

  constructor(route: Route, link: Link, opened: OpenedLink, options: ServerConnectionOptions) {
    this.route = route;
    this.link = link;
    this.serverCount = opened.serverCount;
    this.#opened = opened;
    this.#options = options;
    const seconds = options.keepalive.timeoutMs / 1000;
    this.#keepalive = new Keepalive(
      {
        get activity() {
          return link.activity;
        },
        probe: () => opened.connection.probe(opened.features.size === 0),
        dead: () => this.destroy(new ConnectError(`server has not answered for ${seconds} s`, Code.Unavailable)),
      },
      options.keepalive,
      options.clock,
    );
  }

  start(): void {
    this.#keepalive.start();
    this.link.start();
  }

  /** Asks the server now whether this link still lives. */
  doubt(): void {
    this.#keepalive.doubt();
  }

  /** Gives the link up: the server is asked to use another, and the link closes when nothing is on it. */
  retire(): void {
    this.#retired = true;
    this.link.drain();
    this.idle();
  }

  /** The link may have become idle. */
  idle(): void {
    if (!this.#retired || this.#closed) return;
    this.#cancelQuiet();
    if (!this.link.idle) return;
    // A dial may be on its way that the server sent before it knew.
    this.#cancelQuiet = this.#options.clock.after(this.#options.quietMs, () => {
      if (this.link.idle) this.link.close("agent gave up this link");
    });
  }

  /** Drops the link at once. */
  destroy(error: Error): void {
    this.link.destroy(error);
    this.#opened.connection.close();
  }

  /** The link is gone. */
  closed(): void {
    this.#closed = true;
    this.#keepalive.stop();
    this.#cancelQuiet();
    this.#opened.connection.close();
  }
}
