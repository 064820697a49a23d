import assert from "node:assert/strict";
import { FakeSocket } from "../../../tests/support/memory/link_world.ts";
import { countedWorld, type FakeServer, server, SetWorld } from "../../../tests/support/memory/set_world.ts";
import type { DialResult } from "../dialler.ts";
import { connectId } from "../../wire/connect_id.ts";
import { closeDial, closeRequest, dialRequest } from "../../wire/packet.ts";

Deno.test("a link that its server ended is one of the set's links until the last bytes of its tunnels are written", async () => {
  const socket = new FakeSocket();
  const world = new SetWorld({}, undefined, () => Promise.resolve({ ok: true, stream: socket }));
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(500);
  const [link] = world.links;
  assert.ok(link !== undefined);
  const { peer } = link;
  peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(300);
  const answered = peer.packets.findLast(({ payload }) => payload.case === "dialResponse")?.payload;
  assert.ok(answered?.case === "dialResponse");
  const id = connectId(answered.value.connectID);
  socket.stuck = true;
  for (let at = 0; at < 3; at++) peer.stream.sendData(id, new Uint8Array(1_000));
  peer.stream.sendPacket(closeRequest(id));
  await world.run(100);
  world.behind.clear();
  peer.stream.end();
  await world.run(500);
  assert.deepEqual([world.set.connections.size, [...world.set.links()].length], [0, 1]);
  world.changes.length = 0;
  socket.takes();
  await world.run(100);
  assert.equal(socket.ended, true);
  socket.closes();
  await world.run(100);
  assert.deepEqual([socket.writtenBytes, [...world.set.links()].length, world.changes], [3_000, 0, ["idle"]]);
  world.set.destroy("it is over");
});

Deno.test("a renewed link closes a moment after its last dial was given up", async () => {
  const failed: DialResult = { ok: false, failure: { reason: "unknown", message: "" } };
  const world = new SetWorld({ maxLinkAgeMs: 10_000 }, undefined, (_network, _address, { signal }) => {
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(failed)));
  });
  world.names.set("lb", ["lb"]);
  world.place("lb", server("a"));
  world.set.start();
  await world.run(5_000);
  const [link] = world.links;
  link?.peer.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.run(8_000);
  assert.deepEqual([world.set.retired.size, link?.closed], [1, false]);
  link?.peer.stream.sendPacket(closeDial(1n));
  await world.run(1_500);
  assert.deepEqual([world.set.retired.size, link?.closed], [0, true]);
  world.set.destroy("it is over");
});

Deno.test("names are resolved again in time while one server is missing, though attempts are far apart", async () => {
  let resolutions = 0;
  const resolve = () => {
    resolutions++;
    return Promise.resolve(["lb"]);
  };
  const { world } = countedWorld(2, { resolve, syncIntervalMs: 600_000, syncIntervalCapMs: 600_000 });
  world.place("lb", server("a"));
  world.set.start();
  await world.run(60_000);
  assert.ok(resolutions >= 12, `${resolutions} times in a minute`);
});

Deno.test("a complete set that is woken resolves no name before its time", async () => {
  let resolutions = 0;
  const resolve = () => {
    resolutions++;
    return Promise.resolve(["lb"]);
  };
  const { world, set } = countedWorld(1, { resolve });
  world.place("lb", server("a"));
  world.set.start();
  await world.run(15_000);
  assert.equal(resolutions, 1);
  set(1);
  await world.run(5_000);
  assert.equal(resolutions, 1);
});

Deno.test("a set that drains while a name is being resolved waits for the answer, and for nothing else", async () => {
  let resolve = () => Promise.resolve(["lb"]);
  const { world, set } = countedWorld(1, { resolve: () => resolve() });
  world.place("lb", server("a"));
  world.set.start();
  await world.run(1_000);
  world.set.drain();
  resolve = () => new Promise(() => {});
  await world.run(30_000);
  const { pending } = world.clock;
  set(1);
  assert.equal(world.clock.pending, pending);
});

Deno.test("whenever the end comes while a server answers, no link is left", async () => {
  for (let turn = 0; turn < 20; turn++) {
    const answered = Promise.withResolvers<void>();
    const asked: FakeServer = { ...server("a"), answers: answered.promise };
    const world = new SetWorld();
    world.names.set("lb", ["lb"]);
    world.place("lb", asked);
    world.set.start();
    await world.run(300);
    answered.resolve();
    for (let passed = 0; passed < turn; passed++) await Promise.resolve();
    const linked = world.set.connections.size;
    const changes = world.changes.length;
    world.set.destroy("it is over");
    await world.run(30_000);
    assert.deepEqual([world.open().length, world.clock.pending], [0, 0], `after ${turn} turns`);
    if (linked === 0) assert.equal(changes, world.changes.length, `after ${turn} turns`);
  }
});
