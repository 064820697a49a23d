import assert from "node:assert/strict";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { noAgentEvents } from "../agent_events.ts";
import { countedWorld, server, SetWorld } from "../../../tests/support/memory/set_world.ts";
import { dialRequest } from "../../wire/packet.ts";

Deno.test("a fault of the set itself costs an interval: then names are resolved again, by one deadline", async () => {
  let resolutions = 0;
  const world = new SetWorld({
    resolve: () => {
      resolutions++;
      return new Promise(() => {});
    },
  });
  world.set.start();
  assert.equal(resolutions, 1);
  world.set.faulted();
  world.set.faulted();
  assert.equal(world.clock.pending, 1);
  assert.equal(world.clock.nextAt, 1_000);
  await world.run(60_000);
  assert.equal(resolutions, 2);
});

Deno.test("a set that is dropped drops its links, and connects no more", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a", 2));
  world.set.start();
  await world.run(3_000);
  assert.equal(world.linked, "a");
  const attempts = world.attempts.length;
  world.set.destroy("it is over");
  await world.run(60_000);
  assert.deepEqual([world.open().length, world.attempts.length, world.clock.pending], [0, attempts, 0]);
});

Deno.test("a server that is lost is tried again after up to half of the interval, by chance", async () => {
  const world = new SetWorld({ random: () => 0.5, syncIntervalMs: 4_000 });
  world.names.set("lb", ["lb"]);
  const lost = server("a");
  world.place("lb", lost);
  world.set.start();
  await world.run(30_000);
  world.kill(lost);
  lost.up = true;
  await world.run(900);
  assert.equal(world.attempts.length, 1);
  await world.run(200);
  assert.equal(world.attempts.length, 2);
});

Deno.test("a link that was retired and has closed is none any more", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  world.place("lb", { ...server("a", 2), lives: true });
  world.set.start();
  let retired = 0;
  for (let at = 0; at < 50; at++) {
    await world.run(100);
    retired = Math.max(retired, world.set.retired.size);
  }
  assert.ok(world.links.length > 1 && retired > 0);
  world.set.drain();
  await world.run(60_000);
  assert.deepEqual([world.set.retired.size, [...world.set.links()].length], [0, 1]);
});

Deno.test("a set tells of each link that comes and goes", async () => {
  const told: string[] = [];
  const world = new SetWorld({}, {
    ...noAgentEvents,
    linkOpened: (connection) => void told.push(`${connection.link.server.serverId} opened`),
    linkClosed: (connection, end) => void told.push(`${connection.link.server.serverId} ${end.kind}`),
  });
  world.names.set("lb", ["lb"]);
  const one = server("a");
  world.place("lb", one);
  world.set.start();
  await world.run(500);
  assert.deepEqual(world.changes.splice(0), ["links"]);
  world.kill(one);
  await world.run(100);
  assert.deepEqual([world.changes, told], [["links"], ["a opened", "a failed"]]);
});

Deno.test("nobody is hurried once all servers are linked", async () => {
  const { world, set } = countedWorld(1);
  world.names.set("lb", ["lb"]);
  const servers = [server("a")];
  let turn = 0;
  world.behind.set("lb", () => servers[turn++ % servers.length]);
  world.set.start();
  await world.run(5_000);
  set(2);
  assert.deepEqual(world.set.routes.map(({ backoff }) => backoff.hurried), [true]);
  servers.push(server("b"));
  await world.run(1_000);
  assert.equal(world.linked, "a b");
  assert.deepEqual(world.set.routes.map(({ backoff }) => backoff.hurried), [false]);
});

Deno.test("a count that changes has routes that led to linked servers tried again in time", async () => {
  const { world, set } = countedWorld(3);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(120_000);
  const before = world.attempts.length;
  while (world.attempts.length === before) await world.run(100);
  const { length } = world.attempts;
  set(2);
  await world.run(1_200);
  assert.equal(world.attempts.length, length + 1);
});

Deno.test("names are resolved more often while a single server is missing", async () => {
  const resolutionsWith = async (count: number) => {
    let resolutions = 0;
    const resolve = () => {
      resolutions++;
      return Promise.resolve(["lb"]);
    };
    const { world } = countedWorld(count, { resolve });
    world.place("lb", server("a"));
    world.set.start();
    await world.run(120_000);
    return resolutions;
  };
  assert.ok(await resolutionsWith(2) > 2 * await resolutionsWith(1));
});

Deno.test("an attempt has the time that was set for it", async () => {
  const openLimits = { connectTimeoutMs: 500, headerTimeoutMs: 500, headerPingMs: 100 };
  const world = new SetWorld({ openLimits });
  world.names.set("lb", ["lb"]);
  world.place("lb", { ...server("a"), silent: true });
  world.set.start();
  await world.run(2_000);
  assert.equal(world.attempts.length, 2);
});

Deno.test("an attempt that the end interrupts is no failure of the server's", async () => {
  const failed: string[] = [];
  const world = new SetWorld({}, { ...noAgentEvents, linkFailed: (address) => void failed.push(address) });
  world.names.set("lb", ["lb"]);
  world.place("lb", { ...server("a"), silent: true });
  world.set.start();
  await world.run(500);
  world.set.destroy("it is over");
  await world.run(60_000);
  assert.deepEqual([failed, world.attempts.length], [[], 1]);
});

Deno.test("what is wrong with this program is told as a fault, and what is wrong with a server is not", async () => {
  using faults = expectFaults();
  const run = async (world: SetWorld) => {
    const before = faults.seen.length;
    world.names.set("lb", ["lb"]);
    world.set.start();
    await world.run(500);
    return faults.seen.length - before;
  };
  assert.equal(await run(new SetWorld()), 0, "nobody is there");
  assert.equal(await run(new SetWorld({ transport: () => Promise.reject(new TypeError("broken")) })), 1);
  const linkOpened = () => {
    throw new Error("broken");
  };
  const world = new SetWorld({}, { ...noAgentEvents, linkOpened });
  world.place("lb", server("a"));
  assert.equal(await run(world), 1);
  assert.equal(world.open().length, 0, "nor is the link kept");
});

Deno.test("an attempt that fails is told with its address and the reason", async () => {
  const failed: string[] = [];
  const linkFailed = (address: string, reason: string) => void failed.push(`${address}: ${reason}`);
  const world = new SetWorld({}, { ...noAgentEvents, linkFailed });
  world.names.set("lb", ["lb"]);
  world.set.start();
  await world.run(500);
  assert.equal(failed.length, 1);
  assert.match(failed[0] ?? "", /^lb:8091: .*cannot connect to lb$/);
});

Deno.test("a link that was renewed and still carries something is one of the set's links", async () => {
  const world = new SetWorld({ maxLinkAgeMs: 10_000 });
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(5_000);
  world.links[0]?.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(8_000);
  const { connections, retired } = world.set;
  assert.deepEqual([connections.size, retired.size, [...world.set.links()].length], [1, 1, 2]);
  world.set.destroy("it is over");
  await world.run(1_000);
  assert.deepEqual([world.open().length, retired.size], [0, 0]);
});

Deno.test("a linked server that reports another number when it is asked again is believed", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["lb"]);
  const one = server("a", 1);
  world.place("lb", one);
  world.set.start();
  await world.run(5_000);
  assert.equal(world.set.serverCount, 1);
  one.serverCount = 2;
  await world.run(100_000);
  assert.equal(world.set.serverCount, 2);
});

Deno.test("two addresses keep a link each, whatever their servers say of their number", async () => {
  const world = new SetWorld();
  world.names.set("lb", ["10.0.0.1", "10.0.0.2"]);
  for (const id of [1, 2]) world.place(`10.0.0.${id}`, server(`server-${id}`, 1));
  world.set.start();
  for (let second = 0; second < 120; second++) {
    await world.run(1_000);
    assert.equal(world.linked, "server-1 server-2");
  }
});

Deno.test("a link that is given up is told of, and is one of the set's links until it has closed", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(5_000);
  for (const { peer } of world.open()) peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(100);
  world.changes.length = 0;
  set(1);
  await world.run(60_000);
  const { connections, retired } = world.set;
  assert.deepEqual([connections.size, retired.size, world.changes], [1, 1, ["links"]]);
});

Deno.test("a surplus that comes again has its whole time again", async () => {
  const { world, set } = countedWorld(2);
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"), server("b"));
  world.set.start();
  await world.run(5_000);
  for (const count of [1, 2, 1]) {
    set(count);
    await world.run(20_000);
  }
  assert.equal(world.linked, "a b");
});
