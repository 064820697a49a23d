import assert from "node:assert/strict";
import { LargeFleet } from "./large_fleet.ts";
import { recoveries } from "./recoveries.ts";
import { loadOf } from "./scale_model.ts";

Deno.test("large fleets: the model of a storm agrees with what agents decide", async () => {
  for (const size of [{ servers: 3, agents: 200 }, { servers: 3, agents: 60, reviewsPerSecond: 5 }]) {
    const storm = (await recoveries(size)).get("storm");
    assert.ok(storm !== undefined);
    const { stormS, tokenStormS } = loadOf(size);
    const expected = size.reviewsPerSecond === undefined ? stormS : tokenStormS;
    assert.ok(Math.abs(storm.allS - expected) <= 3, `${storm.allS} s, and by the model ${expected} s`);
  }
});

Deno.test("large fleets: the crash of a server brings no storm of handshakes over the others", async () => {
  const fleet = new LargeFleet({ servers: 10, agents: 30 }, "crash");
  await fleet.start(1_000);
  await fleet.run(120_000);
  const attempts = () => fleet.servers.reduce((sum, server) => sum + server.attempts, 0);
  const [lost] = fleet.servers;
  assert.ok(lost !== undefined);
  fleet.lose(lost);
  const before = attempts();
  await fleet.run(90_000);
  const each = (attempts() - before) / 30;
  assert.ok(each <= 10, `${each} attempts of each agent`);
  await fleet.close();
});

Deno.test("large fleets: a day of a hundred servers and fifty thousand agents stays within what the page says", () => {
  const load = loadOf({ servers: 100, agents: 50_000 });
  assert.ok(load.apiEvents > 300_000 && load.apiEvents < 350_000, String(load.apiEvents));
  assert.ok(load.stormS > 80 && load.stormS < 90, String(load.stormS));
  assert.ok(load.memoryOfServerMiB > 2_000, String(load.memoryOfServerMiB));
});
