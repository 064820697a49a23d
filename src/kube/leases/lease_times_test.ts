import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import type { Lease } from "./lease.ts";
import { LeaseTimes } from "./lease_times.ts";
import type { LeaseList } from "./leases_api.ts";

const seconds = (count: number) => count * 1000;

function lease(renewedS: number, over: Partial<Lease> = {}): Lease {
  return {
    name: "a",
    namespace: "kube-system",
    uid: "u",
    resourceVersion: "1",
    labels: {},
    holderIdentity: "",
    acquireTimeMs: undefined,
    renewTimeMs: seconds(renewedS),
    durationSeconds: 30,
    ...over,
  };
}

function list(apiTimeS: number, ...leases: Lease[]): LeaseList {
  return { leases, resourceVersion: "1", apiTimeMs: seconds(apiTimeS) };
}

/** What is said of the one lease. */
function said(times: LeaseTimes): string {
  return times.abandoned.length > 0 ? "abandoned" : times.holding > 0 ? "holds" : "over";
}

Deno.test("a lease holds by its own times, against the API's clock where this machine's is wrong", () => {
  for (const localS of [0, 1_000, 100_000]) {
    const clock = new VirtualClock();
    clock.advance(seconds(localS));
    const times = new LeaseTimes(clock);
    times.listed(list(1_000, lease(980)));
    assert.equal(said(times), "holds");
    assert.equal(times.nextEndInMs, seconds(10));
    clock.advance(seconds(10));
    assert.equal(said(times), "over");
    clock.advance(seconds(20));
    assert.equal(said(times), "abandoned");
  }
});

Deno.test("a lease whose time is over at first sight is nobody's once it was not renewed for its duration", () => {
  const clock = new VirtualClock();
  const times = new LeaseTimes(clock);
  times.listed(list(10_000, lease(10)));
  assert.equal(said(times), "over");
  clock.advance(seconds(20));
  times.listed(list(10_020, lease(30)));
  assert.equal(said(times), "holds");
  clock.advance(seconds(30));
  times.listed(list(10_050, lease(30)));
  assert.equal(said(times), "abandoned");
});

Deno.test("a clock that is set while the program runs ends no lease", () => {
  const clock = new VirtualClock();
  const times = new LeaseTimes(clock);
  times.listed(list(0, lease(0)));
  clock.advance(seconds(3_600));
  assert.equal(times.holding, 0);
  // The API says that ten seconds have passed.
  times.listed(list(10, lease(0)));
  assert.equal(said(times), "holds");
  assert.equal(times.nextEndInMs, seconds(20));
});

Deno.test("a lease of the same name that somebody made anew has times of its own", () => {
  const clock = new VirtualClock();
  const times = new LeaseTimes(clock);
  times.listed(list(1_000, lease(990)));
  times.changed(lease(995, { uid: "v" }));
  assert.equal(times.nextEndInMs, seconds(25));
  times.deleted(lease(0));
  assert.equal(times.nextEndInMs, Infinity);
});

Deno.test("a lease without a time is nobody's at once, one without a duration never", () => {
  const clock = new VirtualClock();
  const times = new LeaseTimes(clock);
  times.listed(list(1_000, lease(0, { renewTimeMs: undefined })));
  assert.equal(said(times), "abandoned");
  times.listed(list(1_000, lease(0, { durationSeconds: undefined })));
  clock.advance(seconds(100_000));
  assert.equal(said(times), "over");
});

Deno.test("a lease that has ended does not hold again because the API's next answer names the same second", () => {
  const clock = new VirtualClock();
  clock.advance(seconds(77));
  const times = new LeaseTimes(clock);
  // The API's clock is 123 s behind, and its answers name whole seconds.
  const listNow = () => times.listed(list(Math.floor((clock.now() - 123_000) / 1000), lease(-47.5)));
  listNow();
  clock.advance(28_499);
  assert.equal(times.holding, 1);
  for (const ms of [2, 40, 300]) {
    clock.advance(ms);
    assert.equal(times.holding, 0);
    listNow();
    assert.equal(times.holding, 0, `it holds again for ${times.nextEndInMs} ms`);
  }
});
