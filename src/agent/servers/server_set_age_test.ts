import assert from "node:assert/strict";
import { type FakeLink, server, SetWorld } from "../../../tests/support/memory/set_world.ts";
import { dialRequest } from "../../wire/packet.ts";

const hourMs = 3_600_000;

/** Links that servers may give dials to: an agent asks now and then how many servers there are, over a link of its own. */
function inUse(world: SetWorld): FakeLink[] {
  return world.open().filter(({ peer }) => !peer.log.includes("DRAIN"));
}

Deno.test("a link that is old enough is replaced before it ends: there is one at each moment, and its tunnels go on", async () => {
  const world = new SetWorld({ maxLinkAgeMs: hourMs });
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(1_200);
  const [first] = world.links;
  assert.ok(first !== undefined);
  await world.run(hourMs - 10_000);
  assert.deepEqual(inUse(world), [first]);
  // A dial keeps the old link.
  first.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  for (let passed = 0; passed < 60_000; passed += 500) {
    await world.run(500);
    assert.equal(inUse(world).length, 1);
    assert.equal(world.set.connections.size, 1);
  }
  const [second] = inUse(world);
  assert.ok(second !== undefined && second !== first);
  assert.equal(first.closed, false);
  assert.equal(first.peer.log.at(-1), "DRAIN");
  // And the second in its turn.
  await world.run(hourMs + 60_000);
  assert.equal(second.closed, true, "nothing was on it");
  assert.equal(inUse(world).length, 1);
});

Deno.test("an old link goes on while no new one can be made, and behind a balancer until its own server is met", async () => {
  const world = new SetWorld({ maxLinkAgeMs: hourMs });
  world.names.set("lb", ["lb"]);
  const servers = [server("a", 2), server("b", 2)];
  world.place("lb", ...servers);
  world.set.start();
  await world.run(10_000);
  assert.equal(world.linked, "a b");
  const before = inUse(world);
  for (const each of servers) each.up = false;
  await world.run(hourMs + 60_000);
  assert.deepEqual(inUse(world), before);
  for (const each of servers) each.up = true;
  await world.run(120_000);
  assert.equal(world.linked, "a b");
  assert.equal(inUse(world).length, 2);
  assert.deepEqual(before.filter((link) => inUse(world).includes(link)), []);
});

Deno.test("an agent that drains renews nothing, and without the flag no link grows old", async () => {
  for (const drains of [true, false]) {
    const world = new SetWorld(drains ? { maxLinkAgeMs: hourMs } : {});
    world.names.set("lb", ["lb"]);
    world.place("lb", server("a"));
    world.set.start();
    await world.run(1_200);
    const [first] = world.links;
    if (drains) world.set.drain();
    await world.run(2 * hourMs);
    assert.equal(first?.closed, false);
    assert.equal(world.set.connections.get("a")?.link.draining, drains);
  }
});

Deno.test("a link whose server says that it goes away is replaced while it still serves, each behind a balancer by its own server", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a", 2), server("b", 2));
  world.set.start();
  await world.run(20_000);
  assert.equal(world.linked, "a b");
  const before = inUse(world);
  const [first] = before;
  assert.ok(first !== undefined);
  first.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(100);
  for (const link of before) link.leave();
  for (let passed = 0; passed < 10_000; passed += 100) {
    await world.run(100);
    assert.equal(inUse(world).length, 2);
    assert.equal(world.linked, "a b");
  }
  assert.deepEqual(before.filter((link) => inUse(world).includes(link)), []);
  assert.deepEqual(before.map(({ closed }) => closed), [false, true], "the one with a dial goes on");
});

Deno.test("a balancer that says on each link at once that it goes away has its links renewed at every --sync-interval-cap at most", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const place = { ...server("a"), leavesAtOnce: true };
  world.place("lb", place);
  world.set.start();
  await world.run(10 * 60_000);
  assert.equal(inUse(world).length, 1);
  assert.ok(world.links.length > 30, `${world.links.length} links`);
  // And one more now and then, over which it asks how many servers there are.
  assert.ok(world.links.length < 75, `${world.links.length} links`);
});

Deno.test("an agent that drains makes no link in place of one whose server goes away", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(20_000);
  world.set.drain();
  for (const link of world.links) link.leave();
  const made = world.links.length;
  await world.run(120_000);
  assert.equal(world.links.length, made);
  assert.equal(world.linked, "a");
});
