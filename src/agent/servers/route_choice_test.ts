import assert from "node:assert/strict";
import { routeInState } from "../../../tests/support/memory/route_in_state.ts";
import { chooseRoutes, type RouteWish } from "./route_choice.ts";

const complete: RouteWish = { now: 100, missing: 0, recheck: false, againAt: Infinity };
const none = { due: [], nextAt: Infinity };

Deno.test("a complete set tries a route that never led anywhere, unless it is the only one", () => {
  const never = routeInState({ links: 0, outcome: "untried" });
  assert.deepEqual(chooseRoutes([never, routeInState()], complete).due, [never]);
  assert.deepEqual(chooseRoutes([never], complete), none);
  assert.deepEqual(chooseRoutes([never], { ...complete, missing: 1 }).due, [never]);
});

Deno.test("of linked routes the one is tried again that has waited longest", () => {
  const [first, second, third] = [5, 1, 3].map((attemptedAt) => routeInState({ attemptedAt }));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.deepEqual(chooseRoutes([first, second, third], { ...complete, recheck: true }).due, [second]);
  const missing = { ...complete, missing: 1 };
  assert.deepEqual(chooseRoutes([first, second, third], { ...missing, againAt: 100 }).due, [second]);
  assert.deepEqual(chooseRoutes([first, second, third], { ...missing, againAt: 101 }), { due: [], nextAt: 101 });
});

Deno.test("a spare route counts once all others of its name have failed, and for as long as it has a link", () => {
  const spare = routeInState({ spare: true, links: 0, outcome: "untried" });
  const failed = routeInState({ links: 0, outcome: "failed", notBefore: 200 });
  assert.deepEqual(chooseRoutes([failed, spare], { ...complete, missing: 1 }).due, [spare]);
  assert.deepEqual(
    chooseRoutes([routeInState(), spare], { ...complete, missing: 1, againAt: 100 }).due.includes(spare),
    false,
  );
  const linked = routeInState({ spare: true, attemptedAt: -1 });
  assert.deepEqual(chooseRoutes([routeInState(), linked], { ...complete, recheck: true }).due, [linked]);
});
