import assert from "node:assert/strict";
import { Backoff } from "./backoff.ts";
import { chooseRenewal, renewalTime } from "./link_renewal.ts";
import type { Route } from "./server_routes.ts";

function route(state: Partial<Route> = {}): Route {
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

Deno.test("a link without a greatest age is never renewed, another up to a tenth later than that age", () => {
  assert.equal(renewalTime(50, 0, () => 0.5), Infinity);
  assert.equal(renewalTime(50, 1000, () => 0), 1050);
  assert.equal(renewalTime(50, 1000, () => 0.5), 1100);
});

Deno.test("the link that is due is renewed over its own route, and nothing else before its time", () => {
  const due = route();
  assert.equal(chooseRenewal([{ renewAt: 200, route: route() }, { renewAt: 100, route: due }], 150).route, due);
  assert.deepEqual(chooseRenewal([{ renewAt: 200, route: route() }], 150), { nextAt: 200 });
  assert.deepEqual(chooseRenewal([], 150), { nextAt: Infinity });
});

Deno.test("a renewal waits for its route's backoff, and for an attempt over it", () => {
  assert.deepEqual(chooseRenewal([{ renewAt: 100, route: route({ notBefore: 180 }) }], 150), { nextAt: 180 });
  assert.deepEqual(chooseRenewal([{ renewAt: 100, route: route({ attempting: true }) }], 150), { nextAt: Infinity });
});
