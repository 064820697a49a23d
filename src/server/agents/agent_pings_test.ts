import assert from "node:assert/strict";
import { type Peer, ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { dialRequest, PacketType, ping, pong } from "../../wire/packet.ts";

const keepalive = { timeMs: 10_000, timeoutMs: 15_000 };

function pingsOf({ log }: Peer): number {
  return log.filter((name) => name === "PING").length;
}

function answerPings(agent: Peer): void {
  agent.onEach = ({ type }) => {
    if (type === PacketType.PING) agent.stream.sendPacket(pong());
  };
}

/** Lets time pass, and packets with it. */
async function pass(world: ServerWorld, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    world.clock.advance(500);
    world.settle();
    // A ping that was answered is one once a promise is fulfilled.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

Deno.test("a silent agent that knows pings is asked for a sign of life, each ten seconds or so", async () => {
  const world = new ServerWorld({ keepalive });
  const agent = await world.agent({ "konnectivity-features": "ping" });
  assert.equal(agent.headers["konnectivity-features"], "ping");
  world.settle();
  assert.deepEqual(agent.log, ["PING"], "the first asks how far away it is");
  answerPings(agent);
  await pass(world, 60_000);
  assert.ok(pingsOf(agent) >= 4 && pingsOf(agent) <= 7, `${pingsOf(agent)} pings in a minute`);
  assert.equal(agent.end, undefined);
  assert.equal(world.server.pool.size, 1);
});

Deno.test("an agent that answers no more is given up within 30 s, and the clients of its dials learn why", async () => {
  const world = new ServerWorld({ keepalive });
  const agent = await world.agent({ "konnectivity-features": "ping" });
  answerPings(agent);
  await pass(world, 20_000);
  agent.onEach = undefined;
  const client = world.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await pass(world, 29_500);
  assert.match(String(agent.end?.kind === "failed" && agent.end.error.message), /has not answered a ping for 15 s/);
  assert.equal(world.server.pool.size, 0);
  assert.match(
    client.log.join(),
    /^DIAL_RSP agent link lost: .*has not answered a ping for 15 s$/,
  );
  assert.deepEqual(world.events.failures, ["from_agent Canceled"]);
});

Deno.test("an agent that sends anything is asked for nothing", async () => {
  const world = new ServerWorld({ keepalive });
  const agent = await world.agent({ "konnectivity-features": "ping" });
  for (let second = 0; second < 60; second++) {
    agent.stream.sendPacket(ping());
    await pass(world, 1_000);
  }
  assert.equal(pingsOf(agent), 1);
  assert.equal(agent.end, undefined);
});

Deno.test("an agent that does not know pings gets none, and none is given up for its silence; nor is any with --keepalive-time=0", async () => {
  for (const [features, timeMs, first] of [["window", 10_000, 0], ["ping", 0, 1]] as const) {
    const world = new ServerWorld({ keepalive: { ...keepalive, timeMs } });
    const agent = await world.agent({ "konnectivity-features": features });
    await pass(world, 120_000);
    assert.equal(pingsOf(agent), first);
    assert.equal(agent.end, undefined);
  }
});
