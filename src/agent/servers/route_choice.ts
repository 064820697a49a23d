import type { Route } from "./server_routes.ts";

/** What decides which routes are tried. */
export interface RouteWish {
  readonly now: number;
  /** Links that are missing; zero or less when the set is complete. */
  readonly missing: number;
  /** A server should be asked again how many there are. */
  readonly recheck: boolean;
  /** When a linked server may be tried again at the earliest, because another may be behind the same address. */
  readonly againAt: number;
}

/** Routes to try now, and when to choose again; Infinity when no time alone changes anything. */
export interface RouteChoice {
  readonly due: readonly Route[];
  readonly nextAt: number;
}

/**
 * Chooses the routes to try. Routes without a link come first, all at once. When each has one, or leads to a server that
 * is linked already, a load balancer may stand behind them: one of them at a time is tried again, the one that has waited
 * longest. A complete set still tries routes that never led anywhere, because each was configured for a reason.
 */
export function chooseRoutes(routes: readonly Route[], wish: RouteWish): RouteChoice {
  const usable = routes.filter((route) => !route.spare || isNeeded(route, routes));
  const several = usable.length > 1;
  const unlinked = usable.filter((route) =>
    route.links === 0 && route.outcome !== "duplicate" && (wish.missing > 0 || several)
  );
  const due = unlinked.filter((route) => !route.attempting && route.notBefore <= wish.now);
  let nextAt = earliest(unlinked.filter((route) => !due.includes(route)));
  // A route that fails may lead to the missing server, so linked ones are retried only when none fails.
  const retryDuplicateRoutes = (wish.missing > 0 && unlinked.length === 0) || (wish.recheck && due.length === 0);
  if (retryDuplicateRoutes && !usable.some((route) => route.attempting)) {
    const [longest] = usable.toSorted((a, b) => a.attemptedAt - b.attemptedAt);
    const at = Math.max(longest?.notBefore ?? Infinity, wish.recheck ? -Infinity : wish.againAt);
    if (longest !== undefined && at <= wish.now) due.push(longest);
    else nextAt = Math.min(nextAt, at);
  }
  return { due, nextAt };
}

/** A spare address is needed once every other address of its name has failed. */
function isNeeded(spare: Route, routes: readonly Route[]): boolean {
  if (spare.links > 0) return true;
  const others = routes.filter((route) => !route.spare && route.target.serverName === spare.target.serverName);
  return others.every((route) => route.links === 0 && route.outcome === "failed");
}

function earliest(routes: readonly Route[]): number {
  let at = Infinity;
  for (const route of routes) if (!route.attempting) at = Math.min(at, route.notBefore);
  return at;
}
