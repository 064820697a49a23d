import assert from "node:assert/strict";
import { SetWorld } from "../../../tests/support/memory/set_world.ts";

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
