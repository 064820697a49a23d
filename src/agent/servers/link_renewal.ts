import type { Route } from "./server_routes.ts";

/** A link that may have to be renewed. */
export interface AgingLink {
  /** When another link should take its place, on the clock; Infinity: never. */
  readonly renewAt: number;
  readonly route: Route;
}

/** When a link that begins now should be renewed; up to a tenth of jitter, so that links are not all renewed at once. */
export function renewalTime(now: number, maxLinkAgeMs: number, random: () => number): number {
  return maxLinkAgeMs === 0 ? Infinity : now + maxLinkAgeMs * (1 + random() / 10);
}

/**
 * When a link should be renewed whose server, or a proxy before it, has just said that it goes away: soon, with jitter, since
 * a balancer that takes a new configuration says so on all its links at once. One that says so as soon as a link is up (nginx
 * with `keepalive_requests 1`) would have its links renewed without end, so that a young link has to wait.
 */
export function leavingTime(
  now: number,
  since: number,
  { syncIntervalMs, syncIntervalCapMs }: { readonly syncIntervalMs: number; readonly syncIntervalCapMs: number },
  random: () => number,
): number {
  return now + (now - since < syncIntervalCapMs ? syncIntervalCapMs : syncIntervalMs * random());
}

/**
 * Chooses the link to renew now, one at a time, and says when to choose again. It is renewed over its own route, which
 * may lead to another server where a load balancer stands behind it; then the route is tried again later.
 */
export function chooseRenewal(
  links: Iterable<AgingLink>,
  now: number,
): { readonly route?: Route; readonly nextAt: number } {
  let nextAt = Infinity;
  for (const { renewAt, route } of links) {
    if (renewAt > now) nextAt = Math.min(nextAt, renewAt);
    else if (route.attempting) continue;
    else if (route.notBefore <= now) return { route, nextAt };
    else nextAt = Math.min(nextAt, route.notBefore);
  }
  return { nextAt };
}
