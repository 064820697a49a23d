import type { Backoff } from "./backoff.ts";
import type { LinkTarget } from "./open_link.ts";

/** All addresses of a name, the preferred first. Rejects when there are none; an address is its own. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/**
 * How the last attempt over a route went: a new server, one that the agent is linked to already, or none.
 */
export type RouteOutcome = "untried" | "linked" | "duplicate" | "failed";

/** One way to reach a server, or, behind a load balancer, any of them. */
export interface Route {
  readonly target: LinkTarget;
  /** Used only while no other route of its name leads anywhere: an address of the less usual family. */
  readonly spare: boolean;
  readonly backoff: Backoff;
  outcome: RouteOutcome;
  /** What the last attempt failed with, so that a repetition is not logged again. */
  failure: string | undefined;
  /** Attempts in a row that led to a server that was linked already. */
  duplicates: number;
  attempting: boolean;
  attemptedAt: number;
  /** No attempt before this time. */
  notBefore: number;
  /** Links over this route that are up. */
  links: number;
}

/**
 * The ways to the servers: one for each configured host, or one for each address of a host that has several, so that
 * every server behind a name is found without luck.
 */
export class ServerRoutes {
  readonly #hosts: readonly string[];
  readonly #port: number;
  readonly #resolve: Resolver;
  readonly #newBackoff: () => Backoff;
  #routes: readonly Route[] = [];

  constructor(hosts: readonly string[], port: number, resolve: Resolver, newBackoff: () => Backoff) {
    this.#hosts = hosts;
    this.#port = port;
    this.#resolve = resolve;
    this.#newBackoff = newBackoff;
  }

  /** The routes as they were resolved last. */
  get all(): readonly Route[] {
    return this.#routes;
  }

  /** Resolves the names again. Routes that stay keep what is known of them. */
  async refresh(): Promise<void> {
    const known = new Map(this.#routes.map((route) => [keyOf(route.target), route]));
    const lists = await Promise.all(this.#hosts.map((host) => this.#routesOf(host)));
    const next = new Map<string, Route>();
    for (const route of lists.flat()) {
      const key = keyOf(route.target);
      if (!next.has(key)) next.set(key, known.get(key) ?? route);
    }
    this.#routes = [...next.values()];
  }

  async #routesOf(host: string): Promise<Route[]> {
    let addresses: readonly string[];
    try {
      addresses = [...new Set(await this.#resolve(host))];
    } catch {
      // The addresses that were known stay; without any, the attempt by name fails and says why.
      const kept = this.#routes.filter((route) => route.target.serverName === host);
      return kept.length > 0 ? kept : [this.#route(host, host, false)];
    }
    const ipv6 = addresses.filter((address) => address.includes(":"));
    const ipv4 = addresses.filter((address) => !address.includes(":"));
    // At most one of each family: the connection by name chooses between them by itself.
    if (ipv6.length <= 1 && ipv4.length <= 1) return [this.#route(host, host, false)];
    const preferred = ipv4.length >= ipv6.length ? ipv4 : ipv6;
    return addresses.map((address) => this.#route(host, address, !preferred.includes(address)));
  }

  #route(serverName: string, host: string, spare: boolean): Route {
    return {
      target: { host, port: this.#port, serverName },
      spare,
      backoff: this.#newBackoff(),
      outcome: "untried",
      failure: undefined,
      duplicates: 0,
      attempting: false,
      attemptedAt: -Infinity,
      notBefore: -Infinity,
      links: 0,
    };
  }
}

function keyOf(target: LinkTarget): string {
  return `${target.serverName} ${target.host}`;
}
