import assert from "node:assert/strict";
import { leaseValue } from "../../../tests/support/fakes/fake_kube_api.ts";
import { type FakeLeases, startFakeLeases } from "../../../tests/support/fakes/fake_leases.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { LeaseCollector, selectorOf } from "./lease_collector.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const labels = { label: "value" };
const ago = (minutes: number) => Date.now() - minutes * 60_000;

class Events {
  readonly lists: string[] = [];
  readonly deletes: string[] = [];
  culled = 0;

  leasesListed(status: number | undefined, reason: string): void {
    this.lists.push(`${status} ${reason}`.trim());
  }

  leaseDeleted(status: number | undefined, reason: string): void {
    this.deletes.push(`${status} ${reason}`.trim());
  }

  leaseCulled(): void {
    this.culled++;
  }
}

interface Collecting {
  readonly events?: Events;
  /** How far the server's clock is ahead, in milliseconds. */
  readonly aheadMs?: number;
  /** When it has done what the test is about. */
  readonly done?: (events: Events) => boolean;
}

/** Collects until it has listed twice, as the second list shows that the first collection has ended, and until it is done. */
async function collected(
  world: FakeLeases,
  { events = new Events(), aheadMs = 0, done = () => true }: Collecting = {},
): Promise<Events> {
  const collector = new LeaseCollector({
    api: world.leases,
    namespace: "kube-system",
    labels,
    ownName: "own",
    events,
    clock: {
      now: systemClock.now,
      timeOfDay: () => systemClock.timeOfDay() + aheadMs,
      after: systemClock.after,
    },
    periodMs: 10,
  });
  collector.start();
  await until("it has collected", () => events.lists.length >= 2 && done(events));
  await collector.stop();
  return events;
}

/** Waits until so many leases have been deleted. */
const culled = (count: number): Collecting => ({ done: (events) => events.culled >= count });

leakTest("[server 13.6-1] lease acquired 2 min ago, 1000 s, matching label: kept", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { acquired: ago(2), seconds: 1000, labels }));
  const events = await collected(world);
  assert.deepEqual(world.names, ["a"]);
  assert.equal(events.culled, 0);
});

leakTest("[server 13.6-2] lease acquired 10 min ago, renewed 1 min ago, 120 s, matching: kept", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { acquired: ago(10), renewed: ago(1), seconds: 120, labels }));
  await collected(world);
  assert.deepEqual(world.names, ["a"]);
});

leakTest("[server 13.6-3] lease with a non-matching label: kept, expired or not", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { acquired: ago(2), seconds: 1000, labels: { label: "other" } }));
  world.put(leaseValue("b", { acquired: ago(2), seconds: 1, labels: { label: "other" } }));
  await collected(world);
  assert.deepEqual(world.names, ["a", "b"]);
});

leakTest("[server 13.6-4] lease renewed 3 min ago, 1 s, matching: deleted", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), seconds: 1, labels }));
  const events = await collected(world, culled(1));
  assert.deepEqual(world.names, []);
  assert.equal(events.culled, 1);
  assert.deepEqual(events.deletes, ["200"]);
  assert.deepEqual(new Set(events.lists), new Set(["200"]));
});

leakTest("a lease that names neither time is over; the server's own lease is its controller's", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { seconds: 1000, labels }));
  world.put(leaseValue("b", { renewed: ago(3), seconds: 0.2, labels }));
  world.put(leaseValue("own", { renewed: ago(3), seconds: 0.1, labels }));
  await collected(world, culled(2));
  assert.deepEqual(world.names, ["own"]);
});

leakTest("[server W20] a lease without a duration is no accident, and is left", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), labels }));
  world.put(leaseValue("b", { renewed: ago(3), seconds: 0.2, labels }));
  await collected(world, culled(1));
  assert.deepEqual(world.names, ["a"]);
});

leakTest("a lease that is renewed between list and deletion stays, and one that is gone is no failure", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), seconds: 0.2, labels }));
  world.put(leaseValue("b", { renewed: ago(3), seconds: 0.2, labels }));
  let renewed = false;
  world.intercept = (call) => {
    if (call.method !== "DELETE" || renewed) return false;
    renewed = true;
    world.put(leaseValue("a", { renewed: Date.now(), seconds: 1000, labels }));
    world.remove("b");
    return false;
  };
  const events = await collected(world, { done: ({ deletes }) => deletes.length >= 2 });
  assert.deepEqual(world.names, ["a"]);
  assert.deepEqual(events.deletes, ["409 Conflict", "404 NotFound"]);
  assert.equal(events.culled, 0);
});

leakTest(
  "a server whose clock is ahead leaves the leases of siblings that live, and deletes those of the dead",
  async () => {
    await using world = await startFakeLeases();
    world.put(leaseValue("living", { renewed: Date.now(), seconds: 30, labels }));
    world.put(leaseValue("dead", { renewed: ago(3), seconds: 0.2, labels }));
    await collected(world, { aheadMs: 60_000, ...culled(1) });
    assert.deepEqual(world.names, ["living"]);
  },
);

leakTest(
  "a sibling whose clock is behind keeps its lease while it renews it, and no longer than its duration",
  async () => {
    await using world = await startFakeLeases();
    // Its clock is an hour behind: its lease always seems to be over.
    const renew = () => world.put(leaseValue("a", { renewed: ago(60), seconds: 0.2, labels }));
    renew();
    let living = true;
    world.intercept = () => {
      if (living) renew();
      return false;
    };
    await collected(world, { done: ({ lists }) => lists.length >= 30 });
    assert.deepEqual(world.names, ["a"]);
    living = false;
    await collected(world, culled(1));
    assert.deepEqual(world.names, []);
  },
);

leakTest("a list that fails is counted, and tried again", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), seconds: 1, labels }));
  let failures = 0;
  world.intercept = (call) => {
    if (failures++ > 0) return false;
    call.fail(403, "Forbidden");
    return true;
  };
  const events = await collected(world);
  assert.deepEqual(events.lists.slice(0, 2), ["403 Forbidden", "200"]);
});

leakTest("stopping drops a list that is not answered", async () => {
  await using world = await startFakeLeases();
  world.intercept = () => true;
  const events = new Events();
  const collector = new LeaseCollector({
    api: world.leases,
    namespace: "kube-system",
    labels,
    ownName: "own",
    events,
    clock: systemClock,
  });
  collector.start();
  await until("it asks", () => world.log.length > 0);
  await collector.stop();
  assert.deepEqual(events.lists, []);
});

Deno.test("labels become a selector in the order of their keys", () => {
  assert.equal(selectorOf({ b: "2", a: "1" }), "a=1,b=2");
  assert.equal(selectorOf({}), "");
});
