import assert from "node:assert/strict";
import { mock } from "node:test";
import { ServerWorld } from "../../tests/support/server_world.ts";
import { closeRequest, windowCredit } from "../wire/packet.ts";

// A file of its own: limits of time that other tests have begun would wait for the runtime's own timers.

Deno.test("a client's last bytes reach a slow agent, however long it takes, and the close behind them", async () => {
  let now = performance.now();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now);
  const pass = (seconds: number) => {
    for (let gone = 0; gone < seconds; gone++) {
      now += 1000;
      mock.timers.tick(1000);
    }
  };
  try {
    const world = new ServerWorld();
    const agent = await world.agent({ "konnectivity-features": "window" });
    const client = world.openTunnel(agent, 1);
    for (let sent = 0; sent < 512 * 1024; sent += 64 * 1024) client.stream.sendData(1, new Uint8Array(64 * 1024));
    client.stream.sendPacket(closeRequest(1));
    // What the client's stream lets through although it was told to pause, as within one chunk.
    client.near.resume();
    world.settle();
    for (let granted = 0; granted < 256 * 1024; granted += 32 * 1024) {
      assert.ok(!agent.log.includes("CLOSE_REQ 1"));
      pass(29);
      agent.stream.sendPacket(windowCredit(1, 32 * 1024));
      client.near.resume();
      world.settle();
    }
    assert.equal(agent.log.filter((entry) => entry.startsWith("DATA 1")).reduce(sumOf, 0), 512 * 1024);
    assert.equal(agent.log.at(-1), "CLOSE_REQ 1");
    assert.equal(world.server.establishedTunnels, 1);
    pass(60);
    assert.equal(world.server.establishedTunnels, 0);
  } finally {
    mock.timers.reset();
    mock.restoreAll();
  }
});

function sumOf(sum: number, entry: string): number {
  return sum + Number(entry.split(" ")[2]);
}
