import assert from "node:assert/strict";
import { countedWorld, server, SetWorld } from "../../../tests/support/memory/set_world.ts";
import { dialRequest, drain } from "../../wire/packet.ts";

Deno.test("[agent weak 17] [pains a-19] attempts that lead nowhere new come further and further apart", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a", 3));
  world.set.start();
  await world.run(10_000);
  const quick = world.attempts.length;
  assert.ok(quick >= 9, `${quick} attempts in 10 s`);
  await world.run(300_000);
  const slow = world.attempts.length - quick;
  assert.ok(slow <= 40, `${slow} attempts in 300 s`);
  assert.equal(world.open().length, 1);
});

Deno.test("[agent weak 17] [pains a-21] something new behind a balancer is looked for quickly again after a server was lost", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const a = server("a", 2);
  const b = server("b", 2);
  let current = a;
  world.behind.set("lb", () => current);
  world.set.start();
  await world.run(200_000);
  current = b;
  world.kill(a);
  await world.run(1_200);
  assert.equal(world.linked, "b");
});

Deno.test("[agent weak 18] [pains a-20] a complete set asks again now and then, and so notices that there are more servers", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const a = server("a", 1);
  const b = server("b", 2);
  const placed = [a];
  let turn = 0;
  world.behind.set("lb", () => placed[turn++ % placed.length]);
  world.set.start();
  await world.run(30_000);
  assert.equal(world.attempts.length, 1);
  a.serverCount = 2;
  placed.push(b);
  await world.run(63_000);
  assert.equal(world.linked, "a b");
  const attempts = world.attempts.length;
  await world.run(20_000);
  assert.equal(world.attempts.length, attempts);
});

Deno.test("[agent weak 18] addresses that appear behind a name are linked to", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2");
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  await world.run(31_000);
  assert.equal(world.linked, "server-1 server-2 server-3");
});

Deno.test("[agent weak 18] a count that rises looks for the new server's address at once, and again within seconds", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2");
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  set(3);
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2 server-3");
  set(4);
  await world.run(200);
  // The name gains the address only after the lease was seen.
  world.place("10.0.0.4", server("server-4", 2));
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
  await world.run(1_200);
  assert.equal(world.linked, "server-1 server-2 server-3 server-4");
});

Deno.test("[agent weak 18] links that are too many for a while are given up, idle ones first, and tunnels run on", async () => {
  const { world, set } = countedWorld(3);
  world.names.set("lb", ["lb"]);
  const servers = ["a", "b", "c"].map((id) => server(id));
  world.place("lb", ...servers);
  world.set.start();
  await world.run(3_000);
  assert.equal(world.linked, "a b c");
  for (const link of world.open().slice(0, 2)) {
    link.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  }
  await world.run(100);
  set(1);
  await world.run(29_000);
  assert.equal(world.linked, "a b c");
  await world.run(5_000);
  assert.equal(world.set.connections.size, 1);
  // The idle one is closed, the one with a dial in flight serves it to its end.
  assert.equal(world.links[2]?.closed, true);
  assert.equal(world.open().length, 2);
  assert.equal(world.open().filter((link) => link.peer.log.includes("DRAIN")).length, 1);
});

Deno.test("a server that drains and is no longer counted costs no other server its link, however idle that is", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(3_000);
  assert.equal(world.linked, "a b");
  const [leaving] = world.open();
  assert.ok(leaving !== undefined);
  leaving.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(100);
  // As a server says it at its first signal; its lease is gone from then on.
  leaving.peer.stream.sendPacket(drain());
  set(1);
  await world.run(40_000);
  assert.equal(world.linked, "b", "the server that stays has its link");
  assert.equal(leaving.closed, false, "and what is on the other one goes on");
});

Deno.test("a count that drops for a moment only costs no link", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(2_000);
  for (const value of [1, 2]) {
    set(value);
    await world.run(20_000);
  }
  await world.run(60_000);
  assert.equal(world.linked, "a b");
});

Deno.test("a changed count of leases is acted on at once", async () => {
  const { world, set } = countedWorld(1);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(5_000);
  assert.equal(world.linked, "a");
  set(2);
  await world.run(100);
  assert.equal(world.linked, "a b");
});

Deno.test("a server that is announced is found behind a balancer in quick attempts, that end when they lead nowhere", async () => {
  const { world, set } = countedWorld(1, { syncIntervalMs: 5_000, syncIntervalCapMs: 30_000 });
  world.names.set("lb", ["lb"]);
  const [a, b] = [server("a"), server("b")];
  world.place("lb", ...Array(6).fill(a), b);
  world.set.start();
  await world.run(60_000);
  assert.equal(world.linked, "a");
  set(2);
  await world.run(1_500);
  assert.equal(world.linked, "a b");
  // Complete: nothing is left of the hurry.
  const { length } = world.attempts;
  await world.run(60_000);
  assert.equal(world.attempts.length, length);
  // Nothing new comes behind this one.
  set(3);
  await world.run(2_000);
  assert.ok(world.attempts.length - length >= 10, `${world.attempts.length - length} attempts in 2 s`);
  await world.run(120_000);
  const late = world.attempts.length;
  await world.run(300_000);
  assert.ok(world.attempts.length - late <= 15, `${world.attempts.length - late} attempts in 300 s`);
});

Deno.test("a server that is announced is tried at once under an address that has failed for long", async () => {
  const { world, set } = countedWorld(1, { hosts: ["one", "two"], syncIntervalMs: 10_000, syncIntervalCapMs: 60_000 });
  for (const host of ["one", "two"]) world.names.set(host, [host]);
  const second = server("b");
  world.place("one", server("a"));
  world.place("two", second);
  second.up = false;
  world.set.start();
  await world.run(300_000);
  assert.equal(world.linked, "a");
  second.up = true;
  set(2);
  await world.run(100);
  assert.equal(world.linked, "a b");
  assert.equal(world.attempts.filter((host) => host === "one").length, 1);
});

Deno.test("a count that changes while a name is being resolved sets no timer after timer until the answer", () => {
  const { world, set } = countedWorld(1, { resolve: () => new Promise(() => {}) });
  world.set.start();
  set(2);
  world.clock.advance(1_000);
  assert.ok(world.clock.begun < 10, `${world.clock.begun} timers in a second`);
});

Deno.test("a server that is counted and has no address has the others tried again one at a time, however many they are", async () => {
  const { world, set } = countedWorld(8);
  const addresses = Array.from({ length: 8 }, (_, at) => `10.0.0.${at}`);
  world.names.set("lb", addresses);
  for (const address of addresses) world.place(address, server(`server at ${address}`, 8));
  world.set.start();
  await world.run(10_000);
  assert.equal(world.open().length, 8);
  const before = world.attempts.length;
  set(9);
  await world.run(10_000);
  const attempts = world.attempts.length - before;
  assert.ok(attempts >= 8 && attempts <= 12, `${attempts} attempts in 10 s`);
  await world.run(300_000);
  const later = world.attempts.length - before - attempts;
  assert.ok(later <= 60, `${later} attempts in 300 s`);
});

Deno.test("a counter that says again what it said before hurries nobody", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(120_000);
  const { length } = world.attempts;
  set(2);
  await world.run(2_000);
  assert.ok(world.attempts.length - length <= 1, `${world.attempts.length - length} attempts in 2 s`);
});
