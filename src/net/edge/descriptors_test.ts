import assert from "node:assert/strict";
import { descriptorLimits, type DescriptorPool, Descriptors } from "./descriptors.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";

const pools = ["client", "agent", "health", "admin"] as const satisfies readonly DescriptorPool[];

/** Takes what a pool may have. @returns how many that was */
function fill(descriptors: Descriptors, pool: DescriptorPool): number {
  let taken = 0;
  for (; descriptors.admits(pool); taken++) descriptors.take(pool);
  return taken;
}

Deno.test("one pool may have what the others do not need, and never their part or the reserve", () => {
  const limit = 20_000;
  const descriptors = Descriptors.of(pools, limit);
  const clients = fill(descriptors, "client");
  // One kube-apiserver with ten thousand tunnels is far from it.
  assert.ok(clients > 10_000 + 3_000, `${clients}`);
  assert.equal(descriptors.admits("client"), false);
  const agents = fill(descriptors, "agent");
  assert.equal(agents, descriptorLimits.maxGuaranteed);
  for (const pool of ["health", "admin"] as const) {
    assert.equal(fill(descriptors, pool), descriptorLimits.maxGuaranteedPages);
  }
  assert.equal(descriptors.open, limit - descriptorLimits.maxReserve);
});

Deno.test("what is given back can be taken again, by others too", () => {
  const descriptors = Descriptors.of(pools, 1_000);
  const clients = fill(descriptors, "client");
  const agents = fill(descriptors, "agent");
  for (let at = 0; at < clients; at++) descriptors.release("client");
  assert.equal(descriptors.count("client"), 0);
  assert.ok(fill(descriptors, "agent") + agents > clients / 2);
});

Deno.test("threads of a process count together", () => {
  const descriptors = Descriptors.of(pools, 200);
  const worker = new Descriptors(descriptors.shared);
  const before = descriptors.open;
  worker.take("client");
  descriptors.take("client");
  assert.deepEqual([descriptors.open, worker.open, worker.count("client")], [before + 2, before + 2, 2]);
  assert.equal(worker.limit, 200);
});

Deno.test("a limit that is not known refuses nobody, but bounds strangers", () => {
  const descriptors = Descriptors.of(pools, undefined);
  for (let at = 0; at < 30_000; at++) descriptors.take("client");
  assert.equal(descriptors.admits("client"), true);
  assert.equal(descriptors.limit, undefined);
  assert.equal(descriptors.maxStrangers, descriptorLimits.unknownLimitStrangers);
});

Deno.test("strangers have half of what all may have: ten thousand agents that come at once get in under a usual limit", () => {
  const descriptors = Descriptors.of(pools, 20_480);
  assert.ok(descriptors.maxStrangers >= 10_000, `${descriptors.maxStrangers}`);
});

Deno.test("the system's word corrects the count: of a descriptor that nobody counted", () => {
  const descriptors = Descriptors.of(pools, 1_000);
  const before = descriptors.open;
  const uncounted = Array.from({ length: 20 }, () => Deno.openSync("/dev/null"));
  assert.equal(descriptors.exhaustion(), undefined);
  assert.ok(descriptors.open >= before + 20, `${descriptors.open} after ${before}`);
  for (const file of uncounted) file.close();
});

/** A process whose descriptors nobody counts. */
function process(limit: number) {
  const system = { uncounted: 10, closing: 0 };
  const descriptors = Descriptors.of(pools, limit, () => {
    const open = system.uncounted + system.closing;
    return open >= limit ? "exhausted" : open;
  });
  return { system, descriptors };
}

Deno.test("what a flood held for a moment is forgotten: the process has its capacity again", () => {
  const { system, descriptors } = process(200);
  const before = descriptors.capacity;
  for (const closing of [190, 100]) {
    system.closing = closing;
    descriptors.measure();
    assert.ok(descriptors.capacity < before - 80, `${descriptors.capacity} of ${before}`);
  }
  system.closing = 0;
  for (let at = 0; at < 8; at++) descriptors.measure();
  assert.equal(descriptors.capacity, before);
  system.uncounted = 5;
  for (let at = 0; at < 8; at++) descriptors.measure();
  assert.equal(descriptors.capacity, before, "the lowest free number is a minimum");
});

Deno.test("descriptors that are gone for a moment make no process unhealthy, those that are gone for longer do", async () => {
  const { system, descriptors } = process(100);
  system.closing = 95;
  const clock = new VirtualClock();
  const asked = descriptors.lastingExhaustion(clock);
  await clock.run(999);
  system.closing = 0;
  await clock.run(1);
  assert.equal(await asked, undefined);
  system.closing = 95;
  const again = descriptors.lastingExhaustion(clock);
  await clock.run(1_000);
  assert.match(await again ?? "", /^no file descriptor is left of 100/);
});

Deno.test("no more are said to be open than there may be, though connections that are being closed are counted", () => {
  const descriptors = Descriptors.of(["client"], 20, () => 10);
  for (let i = 0; i < 30; i++) descriptors.take("client");
  assert.equal(descriptors.open, 20);
  for (let i = 0; i < 25; i++) descriptors.release("client");
  assert.equal(descriptors.open, 15);
});
