import assert from "node:assert/strict";
import type { FakeCall } from "../../../tests/support/fakes/fake_kube_api.ts";
import { type FakeLeases, startFakeLeases } from "../../../tests/support/fakes/fake_leases.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { memberOf } from "../client/json_value.ts";
import { LeaseController, type LeaseTimes, leaseTimes } from "./lease_controller.ts";
import { leaseOf } from "./lease.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const name = "konnectivity-proxy-server-s1";
const labels = { "k8s-app": "konnectivity-server", zone: "a" };
const quick: LeaseTimes = { ...leaseTimes, renewMs: 20, retryBaseMs: 5, retryCapMs: 20, stopMs: 2_000 };

function controllerFor(world: FakeLeases, times: Partial<LeaseTimes> = {}): LeaseController {
  const all = { ...quick, ...times };
  return new LeaseController({
    api: world.leases,
    namespace: "kube-system",
    serverId: "s1",
    labels,
    times: all,
    clock: systemClock,
  });
}

function stored(world: FakeLeases) {
  const lease = leaseOf(world.get(name));
  assert.ok(lease !== undefined, "there is no lease");
  return lease;
}

leakTest("a server's lease is created, says who, for how long and under which labels, and is renewed", async () => {
  await using world = await startFakeLeases();
  const controller = controllerFor(world);
  controller.start();
  await until("the lease exists", () => world.get(name));
  const first = stored(world);
  assert.equal(first.holderIdentity, "s1");
  assert.equal(first.durationSeconds, 30);
  assert.deepEqual(first.labels, labels);
  assert.equal(first.acquireTimeMs, undefined);
  assert.ok(Math.abs((first.renewTimeMs ?? 0) - Date.now()) < 60_000);
  await until("it is renewed", () => (stored(world).renewTimeMs ?? 0) > (first.renewTimeMs ?? 0));
  assert.deepEqual(world.log.slice(0, 3), [`GET ${name}`, "POST", `PUT ${name}`]);
  await controller.stop();
  assert.deepEqual(world.names, []);
});

leakTest("a lease that is there already is taken over, labels and all", async () => {
  await using world = await startFakeLeases();
  world.put({ metadata: { name, labels: { old: "x" } }, spec: { holderIdentity: "before", leaseDurationSeconds: 5 } });
  const controller = controllerFor(world);
  controller.start();
  await until("it is taken over", () => stored(world).holderIdentity === "s1");
  assert.deepEqual(stored(world).labels, labels);
  assert.equal(stored(world).durationSeconds, 30);
  await controller.stop();
});

leakTest("a lease that others change or delete is looked at again at once", async () => {
  await using world = await startFakeLeases();
  const controller = controllerFor(world);
  controller.start();
  await until("the lease exists", () => world.get(name));
  world.put({ metadata: { name, labels: {} }, spec: { holderIdentity: "thief", leaseDurationSeconds: 1 } });
  await until("it is ours again", () => stored(world).holderIdentity === "s1");
  world.remove(name);
  await until("it is there again", () => world.get(name));
  await controller.stop();
  assert.deepEqual(world.names, []);
});

leakTest("an API that fails is asked again, later each time, until it works", async () => {
  await using world = await startFakeLeases();
  let failures = 0;
  world.intercept = (call) => {
    if (failures++ >= 6) return false;
    call.fail(403, "Forbidden");
    return true;
  };
  const controller = controllerFor(world);
  controller.start();
  await until("the lease exists", () => world.get(name));
  assert.ok(failures > 6);
  await controller.stop();
});

leakTest(
  "[server W31] a renewal that is in flight ends before the lease is deleted, and nothing creates it again",
  async () => {
    await using world = await startFakeLeases();
    const controller = controllerFor(world);
    controller.start();
    await until("the lease exists", () => world.get(name));
    const held: FakeCall[] = [];
    world.intercept = (call) => {
      if (call.method !== "PUT" || held.length > 0) return false;
      held.push(call);
      return true;
    };
    await until("a renewal is in flight", () => held[0]);
    const stopped = controller.stop();
    // The API has already forgotten the lease when it answers: without care this made a new one.
    world.remove(name);
    held[0]?.fail(404, "NotFound");
    await stopped;
    controller.start();
    const calls = world.log.length;
    assert.deepEqual(world.names, []);
    assert.equal(world.log.length, calls);
    assert.ok(!world.log.slice(1 + world.log.lastIndexOf(`PUT ${name}`)).includes("POST"));
  },
);

leakTest("[server W31] a lease whose creation was in flight is deleted too", async () => {
  await using world = await startFakeLeases();
  const held: FakeCall[] = [];
  world.intercept = (call) => {
    if (call.method !== "POST" || held.length > 0) return false;
    held.push(call);
    return true;
  };
  const controller = controllerFor(world);
  controller.start();
  await until("the creation is in flight", () => held[0]);
  const stopped = controller.stop();
  held[0]?.answer(201, world.put({ ...Object(held[0].body) }));
  await stopped;
  assert.deepEqual(world.names, []);
});

leakTest("[server W31] a creation that succeeded but seemed to fail is deleted as well", async () => {
  await using world = await startFakeLeases();
  let broke = false;
  world.intercept = (call) => {
    if (call.method !== "POST") return false;
    world.put({ ...Object(call.body) });
    call.drop();
    broke = true;
    return true;
  };
  const controller = controllerFor(world, { retryBaseMs: 60_000, retryCapMs: 60_000 });
  controller.start();
  await until("the creation broke", () => broke);
  await controller.stop();
  assert.deepEqual(world.names, []);
});

leakTest("[server W31] an API that does not answer holds the end up for a bounded time only", async () => {
  await using world = await startFakeLeases();
  const controller = controllerFor(world, { stopMs: 50 });
  controller.start();
  await until("the lease exists", () => world.get(name));
  world.intercept = () => true;
  const calls = world.log.length;
  await until("a renewal is in flight", () => world.log.length > calls);
  await controller.stop();
  assert.deepEqual(world.names, [name]);
});

leakTest("[server W31] only this server's own lease is deleted, not one that replaced it", async () => {
  await using world = await startFakeLeases();
  const controller = controllerFor(world, { renewMs: 60_000 });
  controller.start();
  await until("the lease exists", () => world.get(name));
  world.remove(name);
  world.put({ metadata: { name, labels }, spec: { holderIdentity: "s1", leaseDurationSeconds: 30 } });
  await controller.stop();
  assert.deepEqual(world.names, [name]);
  const deletion = world.api.calls.at(-1);
  assert.deepEqual(Object.keys(Object(memberOf(deletion?.body, "preconditions"))), ["uid"]);
});

leakTest("a controller that was never started, or is stopped twice, asks nothing of the API", async () => {
  await using world = await startFakeLeases();
  const idle = controllerFor(world);
  await idle.stop();
  idle.start();
  assert.equal(world.log.length, 0);
  const controller = controllerFor(world);
  controller.start();
  await until("the lease exists", () => world.get(name));
  await Promise.all([controller.stop(), controller.stop()]);
  assert.equal(world.log.filter((call) => call.startsWith("DELETE")).length, 1);
});
