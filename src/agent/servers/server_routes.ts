import { isProgramError, reportFault } from "../../faults/fault.ts";
import type { Backoff } from "./backoff.ts";
import type { LinkTarget } from "./open_link.ts";

/** All addresses of a name, the preferred first. Rejects when there are none; an address is its own. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** Outcome of the last attempt over a route: a new server, one that is linked already, or none. */
export type RouteOutcome = "untried" | "linked" | "duplicate" | "failed";

/** One way to reach a server, or, behind a load balancer, any of them. */
export interface Route {
  readonly target: LinkTarget;
  /** Used only while all other routes of its name fail: an address of the less common family. */
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

/** Attempts per server that may lead to servers already linked before the time between them grows. */
const maxDuplicateAttempts = 3;

/** An attempt over a route begins. */
export function attemptBegan(route: Route, now: number): void {
  route.attempting = true;
  route.attemptedAt = now;
}

/** The attempt led to a server. @param wanted this link is kept: the server had none, or one that is to be renewed */
export function attemptSucceeded(route: Route, wanted: boolean): void {
  route.failure = undefined;
  route.outcome = wanted ? "linked" : "duplicate";
  if (wanted) route.duplicates = 0;
  // Hurried attempts do not count: a load balancer may need a while to know a new server.
  else if (!route.backoff.hurried) route.duplicates++;
}

/** The attempt is over: the next has to wait for the backoff. */
export function attemptEnded(route: Route, now: number, serverCount: number): void {
  route.attempting = false;
  // Behind a load balancer, a few times n attempts find each of n servers by chance; beyond that, it is not there.
  const duplicateAttempts = route.duplicates > maxDuplicateAttempts * serverCount;
  const wait = route.outcome === "failed" || duplicateAttempts ? route.backoff.failed() : route.backoff.succeeded();
  route.notBefore = now + wait;
}

/**
 * The ways to the servers: one for each configured host, or one for each address of a host that has several, so that
 * every server behind a name is found at once.
 */
export class ServerRoutes {
  readonly #hosts: readonly string[];
  readonly #port: number;
  readonly #resolve: Resolver;
  readonly #newBackoff: () => Backoff;
  #routes: readonly Route[] = [];
  /** The times between attempts over linked routes, all together: each of them may lead to the missing server, or none. */
  #again: Backoff;
  #againAt = -Infinity;
  #duplicates = 0;

  constructor(hosts: readonly string[], port: number, resolve: Resolver, newBackoff: () => Backoff) {
    this.#hosts = hosts;
    this.#port = port;
    this.#resolve = resolve;
    this.#newBackoff = newBackoff;
    this.#again = newBackoff();
  }

  /** When a linked route may be tried again; a single one has times of its own. */
  get againAt(): number {
    return this.#routes.length > 1 ? this.#againAt : -Infinity;
  }

  /** An attempt has led to a server that is linked already. */
  duplicateFound(now: number, serverCount: number): void {
    const isLong = ++this.#duplicates > maxDuplicateAttempts * serverCount;
    this.#againAt = now + (isLong ? this.#again.failed() : this.#again.succeeded());
  }

  /** The routes as they were resolved last. */
  get all(): readonly Route[] {
    return this.#routes;
  }

  /** Routes that are no spare ones. */
  get explicitCount(): number {
    return this.#routes.filter((route) => !route.spare).length;
  }

  /** No server is missing: attempts need no hurry. */
  resetBackoff(): void {
    for (const route of this.#routes) route.backoff.reset();
  }

  /** Servers or their number have changed: routes that led to linked servers are retried, as they may lead elsewhere. */
  retryDuplicates(now: number): void {
    this.#again = this.#newBackoff();
    this.#againAt = -Infinity;
    this.#duplicates = 0;
    for (const route of this.#routes) {
      if (route.duplicates === 0) continue;
      route.duplicates = 0;
      route.notBefore = Math.min(route.notBefore, now + route.backoff.succeeded());
    }
  }

  /** A server's link is lost: routes that were duplicates of it are not any more. */
  serverLost(now: number): void {
    for (const route of this.#routes) if (route.outcome === "duplicate") route.outcome = "untried";
    this.retryDuplicates(now);
  }

  /** Another server is announced: behind a route without a link, or behind the only one, if it is a load balancer's. */
  hurry(now: number): void {
    const all = this.#routes;
    for (const route of all.length > 1 ? all.filter(({ links }) => links === 0) : all) {
      route.backoff.hurry();
      route.notBefore = Math.min(route.notBefore, now);
    }
  }

  /** Resolves the names again. Routes that stay keep their state. */
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
    } catch (error) {
      if (isProgramError(error)) reportFault("servers", error);
      // The known addresses stay; without any, the attempt by name fails with the reason.
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
