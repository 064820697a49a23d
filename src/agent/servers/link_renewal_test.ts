import assert from "node:assert/strict";
import { routeInState } from "../../../tests/support/memory/route_in_state.ts";
import { chooseRenewal, leavingTime, renewalTime } from "./link_renewal.ts";

Deno.test("a link without a greatest age is never renewed, another up to a tenth later than that age", () => {
  assert.equal(renewalTime(50, 0, () => 0.5), Infinity);
  assert.equal(renewalTime(50, 1000, () => 0), 1050);
  assert.equal(renewalTime(50, 1000, () => 0.5), 1100);
});

Deno.test("the link that is due is renewed over its own route, and nothing else before its time", () => {
  const due = routeInState();
  assert.equal(chooseRenewal([{ renewAt: 200, route: routeInState() }, { renewAt: 100, route: due }], 150).route, due);
  assert.deepEqual(chooseRenewal([{ renewAt: 200, route: routeInState() }], 150), { nextAt: 200 });
  assert.equal(chooseRenewal([{ renewAt: 150, route: due }], 150).route, due);
  assert.deepEqual(chooseRenewal([], 150), { nextAt: Infinity });
});

Deno.test("a renewal waits for its route's backoff, and for an attempt over it", () => {
  assert.deepEqual(chooseRenewal([{ renewAt: 100, route: routeInState({ notBefore: 180 }) }], 150), { nextAt: 180 });
  assert.deepEqual(chooseRenewal([{ renewAt: 100, route: routeInState({ attempting: true }) }], 150), {
    nextAt: Infinity,
  });
  // Neither keeps another link from its own.
  const due = routeInState({ notBefore: 150 });
  const busy = { renewAt: 100, route: routeInState({ attempting: true }) };
  assert.equal(chooseRenewal([busy, { renewAt: 120, route: due }], 150).route, due);
});

Deno.test("a link whose server goes away is renewed soon, but a young one after the longest time between attempts", () => {
  const times = { syncIntervalMs: 1_000, syncIntervalCapMs: 10_000 };
  assert.equal(leavingTime(20_000, 10_001, times, () => 0.5), 30_000);
  assert.equal(leavingTime(20_000, 10_000, times, () => 0.5), 20_500);
});
