import assert from "node:assert/strict";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { routeInState } from "../../../tests/support/memory/route_in_state.ts";
import { Backoff } from "./backoff.ts";
import { attemptBegan, attemptEnded, attemptSucceeded, ServerRoutes } from "./server_routes.ts";

const newBackoff = () => new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 });

/** Routes of one name, whose addresses the test sets. */
async function routesOf(...addresses: string[]) {
  const names = { addresses };
  const routes = new ServerRoutes(["lb"], 8091, () => Promise.resolve(names.addresses), newBackoff);
  await routes.refresh();
  return { routes, names };
}

Deno.test("an attempt says when it began, whether it led to a server that is wanted, and forgets an earlier failure", () => {
  const route = routeInState({ outcome: "failed", failure: "refused", duplicates: 2 });
  attemptBegan(route, 50);
  assert.deepEqual([route.attempting, route.attemptedAt], [true, 50]);
  attemptSucceeded(route, false);
  assert.deepEqual([route.outcome, route.failure, route.duplicates], ["duplicate", undefined, 3]);
  attemptSucceeded(route, true);
  assert.deepEqual([route.outcome, route.duplicates], ["linked", 0]);
  route.backoff.hurry();
  attemptSucceeded(route, false);
  assert.deepEqual([route.outcome, route.duplicates], ["duplicate", 0], "a hurried attempt does not count");
});

Deno.test("the time until the next attempt grows with failures, and with more duplicates than three a server", () => {
  const waits = (state: Parameters<typeof routeInState>[0]) => {
    const route = routeInState({ attempting: true, ...state });
    return [0, 1].map(() => {
      attemptEnded(route, 100, 2);
      assert.equal(route.attempting, false);
      return route.notBefore;
    });
  };
  assert.deepEqual(waits({ outcome: "linked" }), [1100, 1100]);
  assert.deepEqual(waits({ outcome: "failed" }), [1100, 1600]);
  assert.deepEqual(waits({ outcome: "duplicate", duplicates: 6 }), [1100, 1100]);
  assert.deepEqual(waits({ outcome: "duplicate", duplicates: 7 }), [1100, 1600]);
});

Deno.test("linked routes are tried again after a time that they share, which grows with more duplicates than three a server", async () => {
  const { routes } = await routesOf("10.0.0.1", "10.0.0.2");
  assert.equal(routes.againAt, -Infinity);
  const found = () => {
    routes.duplicateFound(100, 1);
    return routes.againAt;
  };
  assert.deepEqual([found(), found(), found(), found(), found()], [1100, 1100, 1100, 1100, 1600]);
  routes.retryDuplicates(100);
  assert.equal(routes.againAt, -Infinity);
  assert.deepEqual([found(), found(), found(), found(), found()], [1100, 1100, 1100, 1100, 1600]);
  const again = () => {
    routes.retryDuplicates(100);
    return [0, 1].map(() => {
      routes.duplicateFound(100, 0);
      return routes.againAt;
    });
  };
  assert.deepEqual([again(), again()], [[1100, 1600], [1100, 1600]], "times begin anew");
  const single = await routesOf("10.0.0.1");
  single.routes.duplicateFound(100, 1);
  assert.equal(single.routes.againAt, -Infinity, "one route has times of its own");
});

Deno.test("when servers change, routes that led to linked ones are tried again in time, others as they would be", async () => {
  const { routes } = await routesOf("10.0.0.1", "10.0.0.2", "10.0.0.3");
  const [other, often, soon] = routes.all;
  assert.ok(often !== undefined && soon !== undefined && other !== undefined);
  Object.assign(often, { outcome: "duplicate", duplicates: 5, notBefore: 9_000 });
  Object.assign(soon, { outcome: "duplicate", duplicates: 1, notBefore: 500 });
  Object.assign(other, { outcome: "linked", duplicates: 0, notBefore: 9_000 });
  routes.serverLost(100);
  assert.deepEqual(routes.all.map(({ outcome }) => outcome), ["linked", "untried", "untried"]);
  assert.deepEqual(routes.all.map(({ notBefore }) => notBefore), [9_000, 1100, 500]);
  assert.deepEqual(routes.all.map(({ duplicates }) => duplicates), [0, 0, 0]);
});

Deno.test("a hurry is for routes without a link, or for the only one, and ends with what was missing", async () => {
  const { routes } = await routesOf("10.0.0.1", "10.0.0.2", "10.0.0.3");
  const [linked, waiting, due] = routes.all;
  assert.ok(linked !== undefined && waiting !== undefined && due !== undefined);
  Object.assign(linked, { links: 1, notBefore: 9_000 });
  Object.assign(waiting, { notBefore: 9_000 });
  Object.assign(due, { notBefore: 50 });
  routes.hurry(100);
  assert.deepEqual(routes.all.map(({ notBefore }) => notBefore), [9_000, 100, 50]);
  assert.deepEqual(routes.all.map(({ backoff }) => backoff.hurried), [false, true, true]);
  routes.resetBackoff();
  assert.deepEqual(routes.all.map(({ backoff }) => backoff.hurried), [false, false, false]);
  const two = await routesOf("10.0.0.1", "10.0.0.2");
  Object.assign(two.routes.all[0] ?? {}, { links: 1 });
  two.routes.hurry(100);
  assert.deepEqual(two.routes.all.map(({ backoff }) => backoff.hurried), [false, true]);
  const single = await routesOf("10.0.0.1");
  Object.assign(single.routes.all[0] ?? {}, { links: 1, notBefore: 9_000 });
  single.routes.hurry(100);
  assert.equal(single.routes.all[0]?.notBefore, 100);
});

Deno.test("a name is a route where it has one address of a family, else each address is, the rarer family's as spare ones", async () => {
  const shown = async (...addresses: string[]) => {
    const { routes } = await routesOf(...addresses);
    assert.equal(routes.explicitCount, routes.all.filter(({ spare }) => !spare).length);
    return routes.all.map(({ target, spare }) => `${target.host}${spare ? " spare" : ""}`);
  };
  assert.deepEqual(await shown("10.0.0.1"), ["lb"]);
  assert.deepEqual(await shown("10.0.0.1", "fd00::1"), ["lb"]);
  assert.deepEqual(await shown(), ["lb"]);
  assert.deepEqual(await shown("10.0.0.1", "10.0.0.2", "10.0.0.1"), ["10.0.0.1", "10.0.0.2"]);
  assert.deepEqual(await shown("fd00::1", "fd00::2"), ["fd00::1", "fd00::2"]);
  assert.deepEqual(await shown("10.0.0.1", "fd00::1", "fd00::2"), ["10.0.0.1 spare", "fd00::1", "fd00::2"]);
  const both = ["10.0.0.1", "10.0.0.2", "fd00::1 spare", "fd00::2 spare"];
  assert.deepEqual(await shown("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"), both);
});

Deno.test("routes that stay keep their state, also where the name cannot be resolved any more", async () => {
  const { routes, names } = await routesOf("10.0.0.1", "10.0.0.2");
  const [first, second] = routes.all;
  names.addresses = ["10.0.0.2", "10.0.0.3"];
  await routes.refresh();
  assert.equal(routes.all[0], second);
  assert.notEqual(routes.all[1], first);
  const failing = { fails: false };
  const resolve = () => failing.fails ? Promise.reject(new Error("no name server")) : Promise.resolve(["a", "b"]);
  const kept = new ServerRoutes(["lb", "other"], 8091, resolve, newBackoff);
  await kept.refresh();
  const before = kept.all;
  failing.fails = true;
  await kept.refresh();
  assert.deepEqual([...kept.all], [...before]);
  assert.ok(kept.all.every((route, at) => route === before[at]));
  const never = new ServerRoutes(["lb"], 8091, resolve, newBackoff);
  await never.refresh();
  const [only] = never.all;
  assert.deepEqual([only?.target, only?.spare], [{ host: "lb", port: 8091, serverName: "lb" }, false]);
  const { links, notBefore, attemptedAt, attempting, duplicates, outcome } = only ?? {};
  assert.deepEqual([links, notBefore, attemptedAt, attempting, duplicates, outcome], [
    0,
    -Infinity,
    -Infinity,
    false,
    0,
    "untried",
  ]);
});

Deno.test("a resolver that is broken itself is told as a fault, and its name is tried as it is", async () => {
  using faults = expectFaults();
  const broken = () => Promise.reject(new TypeError("undefined is no function"));
  const routes = new ServerRoutes(["lb"], 8091, broken, newBackoff);
  await routes.refresh();
  assert.deepEqual([routes.all.map(({ target }) => target.host), faults.seen.length], [["lb"], 1]);
});
