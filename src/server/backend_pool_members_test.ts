import assert from "node:assert/strict";
import { type Peer, ServerWorld } from "../../tests/support/memory/server_world.ts";
import { drain } from "../wire/packet.ts";
import type { StrategyName } from "./strategies.ts";

/** The ids of the agents that can be picked for an address. */
function picks(world: ServerWorld, address: string): string[] {
  const found = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const backend = world.server.pool.pick(address);
    if (backend !== undefined) found.add(backend.info.agentId);
  }
  return [...found].sort();
}

function lose(peer: Peer): void {
  peer.stream.lose();
}

const identifiersFor: Readonly<Record<"default" | "defaultRoute", string>> = {
  default: "",
  defaultRoute: "default-route=true",
};

for (const strategy of ["default", "defaultRoute"] as const) {
  const agentidentifiers = identifiersFor[strategy];

  Deno.test(`[server 13.4-2] [server 13.4-4] ${strategy}: an agent that comes and goes leaves nothing`, async () => {
    const world = new ServerWorld({ strategies: [strategy] });
    const agent = await world.agent({ agentid: "agent1", agentidentifiers });
    assert.deepEqual(picks(world, "x:1"), ["agent1"]);
    lose(agent);
    assert.deepEqual(picks(world, "x:1"), []);
    assert.equal(world.server.pool.size, 0);
    assert.equal(world.server.readyBackends(strategy), 0);
    assert.equal(world.server.notReady, "no connection to any proxy agent");
  });

  Deno.test(`[server 13.4-3..4] ${strategy}: of agents with several streams, those are left that still have one`, async () => {
    const world = new ServerWorld({ strategies: [strategy] });
    const connect = (agentid: string) => world.agent({ agentid, agentidentifiers });
    const first = await connect("agent1");
    await connect("agent1");
    const second = [await connect("agent2"), await connect("agent2")];
    await connect("agent3");
    assert.equal(world.server.pool.size, 5);
    assert.equal(world.server.readyBackends(strategy), 3);
    second.reverse().forEach(lose);
    lose(first);
    // A stream that is lost already is not lost again.
    lose(first);
    assert.deepEqual(picks(world, "x:1"), ["agent1", "agent3"]);
    assert.equal(world.server.pool.size, 2);
    assert.equal(world.server.readyBackends(strategy), 2);
  });
}

const three = {
  b1: "host=localhost&host=node1.mydomain.com&ipv4=1.2.3.4&ipv6=9878::7675:1292:9183:7562",
  b2: "default-route=true",
  b3: "host=node2.mydomain.com&ipv4=5.6.7.8&ipv6=::",
};

Deno.test("[server 13.4-5] destHost: an agent that comes and goes leaves none of its hosts and addresses", async () => {
  const world = new ServerWorld({ strategies: ["destHost"] });
  const agent = await world.agent({ agentid: "b1", agentidentifiers: three.b1 });
  assert.equal(world.server.readyBackends("destHost"), 4);
  lose(agent);
  assert.equal(world.server.readyBackends("destHost"), 0);
  for (const host of ["localhost", "node1.mydomain.com", "1.2.3.4", "[9878::7675:1292:9183:7562]"]) {
    assert.deepEqual(picks(world, `${host}:443`), []);
  }
});

Deno.test("[server 13.4-6] destHost: agents are found by each of their identifiers and by no other; one without is not in", async () => {
  const world = new ServerWorld({ strategies: ["destHost"] });
  const connect = (agentid: keyof typeof three) => world.agent({ agentid, agentidentifiers: three[agentid] });
  const owned = {
    b1: ["localhost", "node1.mydomain.com", "1.2.3.4", "[9878::7675:1292:9183:7562]"],
    b3: ["node2.mydomain.com", "5.6.7.8", "[::]"],
  };
  const assertOwners = (...present: readonly (keyof typeof owned)[]) => {
    for (const owner of ["b1", "b3"] as const) {
      for (const host of owned[owner]) {
        assert.deepEqual(picks(world, `${host}:443`), present.includes(owner) ? [owner] : [], host);
      }
    }
    assert.deepEqual(picks(world, "stranger:443"), []);
    const count = present.reduce((sum, owner) => sum + owned[owner].length, 0);
    assert.equal(world.server.readyBackends("destHost"), count);
  };
  const b1 = await connect("b1");
  const b2 = await connect("b2");
  assertOwners("b1");
  const b3 = await connect("b3");
  assertOwners("b1", "b3");
  lose(b2);
  assertOwners("b1", "b3");
  lose(b1);
  assertOwners("b3");
  lose(b3);
  assertOwners();
});

Deno.test("[pains a-23] destHost with odd hosts and identifiers picks nothing and does not fail", async () => {
  const world = new ServerWorld({ strategies: ["destHost", "defaultRoute"] });
  await world.agent({
    agentid: "odd",
    agentidentifiers: "host=&host=[&ipv4=1.2.3&ipv6=:::::&cidr=/&cidr=::/129&host=%00",
  });
  const odd = [
    "",
    ":",
    "[",
    "[]",
    "[]:80",
    ":80",
    "1.2.3.4.5:1",
    "[::1",
    "::1]",
    "%",
    "a:b:c",
    "\u0000",
    "x".repeat(70_000),
  ];
  for (const address of odd) assert.doesNotThrow(() => picks(world, address), address.slice(0, 20));
  assert.deepEqual(picks(world, "localhost:80"), []);
});

Deno.test("[pains a-25] agents for certain hosts are asked for others only where the list of strategies says so", async () => {
  const lists: readonly (readonly [readonly StrategyName[], readonly string[]])[] = [
    [["destHost"], []],
    [["destHost", "defaultRoute"], ["route"]],
    [["destHost", "defaultRoute", "default"], ["route"]],
    [["destHost", "default"], ["plain", "route", "scoped"]],
  ];
  for (const [strategies, others] of lists) {
    const world = new ServerWorld({ strategies });
    await world.agent({ agentid: "scoped", agentidentifiers: "host=here" });
    await world.agent({ agentid: "route", agentidentifiers: "default-route=true" });
    await world.agent({ agentid: "plain" });
    assert.deepEqual(picks(world, "here:1"), ["scoped"], strategies.join());
    assert.deepEqual(picks(world, "elsewhere:1"), others, strategies.join());
  }
});

Deno.test("an agent that links again is dialled over its new link, until the older one has shown that it lives", async () => {
  const world = new ServerWorld();
  const older = await world.agent({ agentid: "a" });
  let answer = () => {};
  // The agent was restarted without a word: nobody answers.
  older.near.measure = (onAnswer) => {
    answer = () => onAnswer?.();
  };
  const picked = () => new Set(Array.from({ length: 60 }, () => world.server.pool.pick("x:1")?.link));
  const newer = await world.agent({ agentid: "a" });
  assert.deepEqual([...picked()], [newer.near]);
  newer.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual([...picked()], [older.near], "it is better than one that drains");
  const third = await world.agent({ agentid: "a" });
  answer();
  assert.deepEqual(picked(), new Set([older.near, third.near]));
});
