import assert from "node:assert/strict";
import { server, SetWorld } from "../../../tests/support/memory/set_world.ts";

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
  await world.run(5_000);
  assert.ok(world.links.length > 1);
  world.set.drain();
  await world.run(60_000);
  assert.deepEqual([world.set.retired.size, [...world.set.links()].length], [0, 1]);
});
