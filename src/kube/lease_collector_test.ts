import assert from "node:assert/strict";
import { leaseValue } from "../../tests/support/fake_kube_api.ts";
import { type FakeLeases, startFakeLeases } from "../../tests/support/fake_leases.ts";
import { leakTest } from "../../tests/support/leak_free.ts";
import { until } from "../../tests/support/until.ts";
import { LeaseCollector, selectorOf } from "./lease_collector.ts";

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

/** Collects twice, as the second collection shows that the first has ended. */
async function collected(world: FakeLeases, events: Events = new Events()): Promise<Events> {
  const collector = new LeaseCollector({
    api: world.leases,
    namespace: "kube-system",
    labels,
    ownName: "own",
    events,
    periodMs: 10,
  });
  collector.start();
  await until("it has looked twice", () => events.lists.length >= 2);
  await collector.stop();
  return events;
}

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
  const events = await collected(world);
  assert.deepEqual(world.names, []);
  assert.equal(events.culled, 1);
  assert.deepEqual(events.deletes, ["200"]);
  assert.deepEqual(new Set(events.lists), new Set(["200"]));
});

leakTest("a lease that names neither time is over; the server's own lease is its controller's", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { seconds: 1000, labels }));
  world.put(leaseValue("own", { renewed: ago(3), seconds: 1, labels }));
  await collected(world);
  assert.deepEqual(world.names, ["own"]);
});

leakTest("[server W20] a lease without a duration is no accident, and is left", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), labels }));
  world.put(leaseValue("b", { renewed: ago(3), seconds: 1, labels }));
  await collected(world);
  assert.deepEqual(world.names, ["a"]);
});

leakTest("a lease that is renewed between list and deletion stays, and one that is gone is no failure", async () => {
  await using world = await startFakeLeases();
  world.put(leaseValue("a", { renewed: ago(3), seconds: 1, labels }));
  world.put(leaseValue("b", { renewed: ago(3), seconds: 1, labels }));
  let renewed = false;
  world.intercept = (call) => {
    if (call.method !== "DELETE" || renewed) return false;
    renewed = true;
    world.put(leaseValue("a", { renewed: Date.now(), seconds: 1000, labels }));
    world.remove("b");
    return false;
  };
  const events = await collected(world);
  assert.deepEqual(world.names, ["a"]);
  assert.deepEqual(events.deletes, ["409 Conflict", "404 NotFound"]);
  assert.equal(events.culled, 0);
});

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
