import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { type FakeCall, leaseValue } from "../../../tests/support/fakes/fake_kube_api.ts";
import { startFakeLeases } from "../../../tests/support/fakes/fake_leases.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { LeaseCollector } from "./lease_collector.ts";
import { LeaseController } from "./lease_controller.ts";
import { LeaseCounter } from "./lease_counter.ts";
import type { LeaseState } from "./lease_times.ts";

const labels = { label: "value" };
const namespace = "kube-system";
const quiet = { leasesListed() {}, leasesWatched() {}, leaseDeleted() {}, leaseCulled() {} };

/** A lease of `seconds` that is renewed at a moment. */
const lease = (name: string, renewed: number, seconds: number) => leaseValue(name, { renewed, seconds, labels });

const counted = (leases: Iterable<LeaseState>) =>
  Array.from(leases, ({ lease: { name }, counts, endsInMs }) => [name, counts, endsInMs]);

function refuse(call: FakeCall): boolean {
  call.fail(403, "Forbidden", "leases is forbidden");
  return true;
}

leakTest("a counter says what its count is made of, and since when and why it cannot follow", async () => {
  await using world = await startFakeLeases();
  const clock = new VirtualClock(Date.now());
  const counter = new LeaseCounter({
    api: world.leases,
    scope: { namespace, labelSelector: "label=value" },
    events: quiet,
    clock,
    random: () => 0,
  });
  await using _counter = { [Symbol.asyncDispose]: () => counter.stop() };
  const held: FakeCall[] = [];
  world.intercept = (call) => held.push(call) > 0;
  counter.start();
  await until("the API is asked", () => held.length > 0);
  clock.advance(3_000);
  assert.deepEqual(counter.report().unfollowed, { ms: 3_000, failure: undefined });

  const now = clock.timeOfDay();
  world.put(lease("a", now, 60));
  world.put(lease("b", now - 60_000, 30));
  world.put(leaseValue("endless", { renewed: now, labels }));
  world.intercept = () => false;
  for (const call of held) world.api.handle(call);
  await until("leases are followed", () => world.watchers === 1 && counter.count() === 1);
  const followed = counter.report();
  assert.equal(followed.unfollowed, undefined);
  assert.deepEqual([followed.namespace, followed.labelSelector, followed.count], [namespace, "label=value", 1]);
  assert.deepEqual(counted(followed.leases), [
    ["a", true, 60_000],
    ["b", false, -30_000],
    ["endless", false, undefined],
  ]);

  // A watch that ends sooner is a failure by itself.
  clock.advance(2_000);
  world.intercept = refuse;
  world.endWatches();
  await until("it is lost", () => counter.report().unfollowed);
  clock.advance(90_000);
  const lost = counter.report();
  assert.equal(lost.unfollowed?.ms, 90_000);
  assert.match(lost.unfollowed?.failure ?? "", /leases is forbidden/);
  // The count stays, and so does what it is made of, although the lease has ended meanwhile.
  assert.equal(lost.count, 1);
  assert.deepEqual(counted(lost.leases)[0], ["a", true, -32_000]);
});

leakTest(
  "a controller says when its lease was renewed, why it cannot renew it, and when it holds it no more",
  async () => {
    await using world = await startFakeLeases();
    const clock = new VirtualClock(Date.now());
    const controller = new LeaseController({
      api: world.leases,
      namespace,
      serverId: "s1",
      labels,
      clock,
      random: () => 0,
    });
    const name = "konnectivity-proxy-server-s1";
    const none = { name, held: false, renewedMsAgo: undefined, failure: undefined };
    assert.deepEqual(controller.report(), none);
    controller.start();
    await until("the lease is held", () => controller.report().held);
    clock.advance(4_000);
    assert.deepEqual(controller.report(), { ...none, held: true, renewedMsAgo: 4_000 });

    world.intercept = refuse;
    clock.advance(11_000);
    await until("a renewal is refused", () => controller.report().failure);
    const refused = controller.report();
    assert.match(refused.failure ?? "", /leases is forbidden/);
    assert.deepEqual([refused.held, refused.renewedMsAgo], [true, 15_000]);
    clock.advance(15_000);
    assert.deepEqual([controller.report().held, controller.report().renewedMsAgo], [false, 30_000]);

    world.intercept = () => false;
    await until("it is renewed again", () => {
      clock.advance(1_000);
      const { held, failure } = controller.report();
      return held && failure === undefined;
    });

    // Somebody deletes it, and the server may not make it again.
    world.remove(name);
    world.intercept = (call) => call.method === "POST" && refuse(call);
    await until("it is not there any more", () => {
      clock.advance(1_000);
      return controller.report().renewedMsAgo === undefined;
    });
    assert.equal(controller.report().held, false);
    world.intercept = () => false;
    await until("it is made again", () => {
      clock.advance(1_000);
      return controller.report().held;
    });
    await controller.stop();
    assert.deepEqual(controller.report(), none);
  },
);

leakTest("a collector says what its last list has shown, how old it is, and why there is no newer one", async () => {
  await using world = await startFakeLeases();
  const clock = new VirtualClock(Date.now());
  const collector = new LeaseCollector({
    api: world.leases,
    namespace,
    labels,
    ownName: "own",
    events: quiet,
    clock,
    // Time may go on for some seconds only: the API's tells it as it is.
    periodMs: 2_000,
  });
  await using _collector = { [Symbol.asyncDispose]: () => collector.stop() };
  assert.deepEqual(collector.report().listedMsAgo, undefined);
  world.put(lease("a", clock.timeOfDay(), 20));
  world.put(lease("b", clock.timeOfDay() - 60_000, 1));
  collector.start();
  await until("leases are listed", () => collector.report().listedMsAgo !== undefined);
  await until("it waits for the next time", () => clock.pending > 0);
  clock.advance(1_500);
  const first = collector.report();
  assert.deepEqual([first.count, first.listedMsAgo, first.failure], [1, 1_500, undefined]);
  assert.deepEqual(counted(first.leases), [["a", true, 18_500], ["b", false, -60_500]]);

  // The next list finds one abandoned, and deletes it.
  world.put(lease("a", clock.timeOfDay(), 20));
  clock.advance(500);
  await until("one is deleted", () => world.names.join() === "a", 20_000);
  await until("it waits for the next time", () => clock.pending > 0);
  assert.deepEqual(counted(collector.report().leases).map(([name]) => name), ["a"]);

  world.intercept = refuse;
  clock.advance(2_000);
  await until("a list is refused", () => collector.report().failure);
  const refused = collector.report();
  assert.match(refused.failure ?? "", /leases is forbidden/);
  assert.deepEqual([refused.count, refused.listedMsAgo], [1, 2_000]);
});
