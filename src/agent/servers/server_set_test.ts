import assert from "node:assert/strict";
import { server, SetWorld } from "../../../tests/support/memory/set_world.ts";

Deno.test("the first attempt is made at once, and a set that is complete makes no more", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(100);
  assert.equal(world.linked, "a");
  await world.run(30_000);
  assert.deepEqual(world.attempts, ["lb"]);
  assert.equal(world.set.serverCount, 1);
});

Deno.test("a balancer that hands out three servers by turns is asked until each has a link", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.place("lb", server("a", 3), server("a", 3), server("b", 3), server("c", 3));
  world.set.start();
  await world.run(3_500);
  assert.equal(world.linked, "a b c");
  assert.equal(world.set.serverCount, 3);
  assert.equal(world.attempts.length, 4);
  await world.run(5_000);
  assert.equal(world.open().length, 3);
});

Deno.test("failed attempts come 1, 1.5, 2.25 s apart and so on up to the cap", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1"]);
  world.set.start();
  const times: number[] = [];
  let seen = 0;
  for (let at = 0; at < 40_000; at += 100) {
    await world.run(100);
    if (world.attempts.length > seen) times.push(world.clock.now());
    seen = world.attempts.length;
  }
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  const expected = [1000, 1500, 2250, 3375, 5063, 7594, 10_000];
  assert.equal(gaps.length, expected.length);
  for (const [at, gap] of gaps.entries()) {
    assert.ok(Math.abs(gap - (expected[at] ?? 0)) <= 200, `gap ${at} is ${gap} ms, not ${expected[at]}`);
  }
});

Deno.test("every server of a list is linked at once, whatever each says of their number", async () => {
  const world = new SetWorld({ hosts: ["one", "two", "three"] });
  for (const host of ["one", "two", "three"]) {
    world.names.set(host, [host]);
    world.place(host, server(host, 1));
  }
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "one three two");
  // They are not too many, either.
  await world.run(120_000);
  assert.equal(world.linked, "one three two");
});

Deno.test("every address of a name is tried by itself, with the name for the certificate", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  for (const id of [1, 2, 3]) world.place(`10.0.0.${id}`, server(`server-${id}`, 3));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "server-1 server-2 server-3");
  assert.deepEqual(world.attempts.toSorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

Deno.test("a server that does not answer delays no other", async () => {
  const world = new SetWorld({ hosts: ["silent", "good"] });
  for (const host of ["silent", "good"]) world.names.set(host, [host]);
  world.place("silent", { ...server("x"), silent: true });
  world.place("good", server("good"));
  world.set.start();
  await world.run(200);
  assert.equal(world.linked, "good");
});

Deno.test("addresses of the other family are tried only while none of the usual one leads anywhere", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2"]);
  for (const id of [1, 2]) {
    const both = server(`server-${id}`, 2);
    world.place(`10.0.0.${id}`, both);
    world.place(`fd00::${id}`, both);
  }
  world.set.start();
  await world.run(20_000);
  assert.equal(world.linked, "server-1 server-2");
  assert.deepEqual(world.attempts.toSorted(), ["10.0.0.1", "10.0.0.2"]);

  const ipv6Only = new SetWorld();
  ipv6Only.names = world.names;
  for (const id of [1, 2]) ipv6Only.place(`fd00::${id}`, server(`server-${id}`, 2));
  ipv6Only.set.start();
  await ipv6Only.run(3_000);
  assert.equal(ipv6Only.linked, "server-1 server-2");
});

Deno.test("a name that cannot be resolved is tried as it is, and its addresses are used once there are some", async () => {
  const world = new SetWorld();
  world.set.start();
  await world.run(5_000);
  assert.ok(world.attempts.every((host) => host === "lb"));
  for (const id of [1, 2]) world.place(`10.0.0.${id}`, server(`server-${id}`, 2));
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  await world.run(31_000);
  assert.equal(world.linked, "server-1 server-2");
});

Deno.test("[agent weak 25] hosts that are called as gRPC's schemes are hosts like others", async () => {
  const world = new SetWorld({ hosts: ["unix", "dns"] });
  for (const host of ["unix", "dns"]) {
    world.names.set(host, [host]);
    world.place(host, server(host, 2));
  }
  world.set.start();
  await world.run(100);
  assert.equal(world.linked, "dns unix");
});
