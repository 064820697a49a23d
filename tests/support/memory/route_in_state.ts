import { Backoff } from "../../../src/agent/servers/backoff.ts";
import type { Route } from "../../../src/agent/servers/server_routes.ts";

/** A route that has a link, but for what a test says. */
export function routeInState(state: Partial<Route> = {}): Route {
  return {
    target: { host: "lb", port: 8091, serverName: "lb" },
    spare: false,
    backoff: new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 }),
    outcome: "linked",
    failure: undefined,
    duplicates: 0,
    attempting: false,
    attemptedAt: 0,
    notBefore: 0,
    links: 1,
    ...state,
  };
}
