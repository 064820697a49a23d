import assert from "node:assert/strict";
import { dialRequest, drain } from "../wire/packet.ts";
import { type Peer, ServerWorld } from "../../tests/support/memory/server_world.ts";
import type { StrategyName } from "./strategies.ts";

/** Agents by id, each with its identifiers, on a server with the given strategies. */
async function worldOf(
  strategies: readonly StrategyName[],
  agents: Readonly<Record<string, string>>,
): Promise<{ world: ServerWorld; peers: Record<string, Peer> }> {
  const world = new ServerWorld({ strategies });
  const peers: Record<string, Peer> = {};
  for (const [agentid, agentidentifiers] of Object.entries(agents)) {
    peers[agentid] = await world.agent({ agentid, agentidentifiers });
  }
  return { world, peers };
}

/** The ids of the agents that can be picked for an address. */
function picks(world: ServerWorld, address: string): string[] {
  const found = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const backend = world.server.pool.pick(address);
    if (backend !== undefined) found.add(backend.info.agentId);
  }
  return [...found].sort();
}

function lose(peer: Peer | undefined): void {
  peer?.stream.lose();
}

Deno.test("[server 13.5-13] default: any agent, the one that is left, none", async () => {
  const { world, peers } = await worldOf(["default"], { a: "", b: "", c: "" });
  assert.deepEqual(picks(world, "x:1"), ["a", "b", "c"]);
  lose(peers["a"]);
  lose(peers["b"]);
  assert.deepEqual(picks(world, "x:1"), ["c"]);
  lose(peers["c"]);
  assert.deepEqual(picks(world, "x:1"), []);
});

Deno.test("[server 13.5-14] defaultRoute: only agents that say so", async () => {
  const { world, peers } = await worldOf(["defaultRoute"], {
    none: "",
    no: "default-route=false",
    yes: "default-route=true",
  });
  assert.deepEqual(picks(world, "x:1"), ["yes"]);
  lose(peers["none"]);
  assert.deepEqual(picks(world, "x:1"), ["yes"]);
  lose(peers["yes"]);
  assert.deepEqual(picks(world, "x:1"), []);
});

Deno.test("[server 13.5-15..16] destHost: the owner of a host or address, whatever the port", async () => {
  const { world, peers } = await worldOf(["destHost"], {
    one: "host=localhost&host=node1.mydomain.com&ipv4=1.2.3.4&ipv6=9878::7675:1292:9183:7562",
    route: "default-route=true",
    two: "host=node2.mydomain.com&ipv4=5.6.7.8&ipv6=::",
  });
  assert.deepEqual(picks(world, "127.0.0.1:443"), []);
  assert.deepEqual(picks(world, "127.0.0.1"), []);
  assert.deepEqual(picks(world, "localhost"), ["one"]);
  assert.deepEqual(picks(world, "node1.mydomain.com:443"), ["one"]);
  assert.deepEqual(picks(world, "node2.mydomain.com:443"), ["two"]);
  assert.deepEqual(picks(world, "1.2.3.4:80"), ["one"]);
  assert.deepEqual(picks(world, "[9878::7675:1292:9183:7562]:80"), ["one"]);
  assert.deepEqual(picks(world, "[::]:80"), ["two"]);
  lose(peers["one"]);
  assert.deepEqual(picks(world, "localhost"), []);
});

Deno.test("[server 13.5-17] destHost,default: the owner, else anybody", async () => {
  const { world, peers } = await worldOf(["destHost", "default"], { a: "host=here", b: "", c: "" });
  assert.deepEqual(picks(world, "here:1"), ["a"]);
  assert.deepEqual(picks(world, "elsewhere:1"), ["a", "b", "c"]);
  lose(peers["a"]);
  lose(peers["c"]);
  assert.deepEqual(picks(world, "here:1"), ["b"]);
  lose(peers["b"]);
  assert.deepEqual(picks(world, "here:1"), []);
});

Deno.test("[server 13.4-7] [server 13.5-18] [pains a-24] equal identifiers: any of their owners, as long as one is left", async () => {
  const { world, peers } = await worldOf(["destHost", "default"], {
    b1: "host=localhost&ipv4=127.0.0.1",
    b2: "host=localhost&ipv4=127.0.0.1",
    b3: "host=localhost",
  });
  assert.deepEqual(picks(world, "localhost:1"), ["b1", "b2", "b3"]);
  lose(peers["b1"]);
  lose(peers["b3"]);
  assert.deepEqual(picks(world, "localhost:1"), ["b2"]);
  lose(peers["b2"]);
  assert.deepEqual(picks(world, "localhost:1"), []);
});

Deno.test("[server 13.4-8] default: a draining agent is never picked while another is there, and serves when alone", async () => {
  const { world, peers } = await worldOf(["default"], { a: "", b: "", c: "" });
  peers["b"]?.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual(picks(world, "x:1"), ["a", "c"]);
  peers["a"]?.stream.sendPacket(drain());
  peers["c"]?.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual(picks(world, "x:1"), ["a", "b", "c"]);
});

Deno.test("[server 13.4-9] destHost: the draining owner is passed over for the other one, both draining serve", async () => {
  const { world, peers } = await worldOf(["destHost"], { a: "host=localhost", b: "host=localhost", c: "host=other" });
  peers["a"]?.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual(picks(world, "localhost:1"), ["b"]);
  assert.deepEqual(picks(world, "other:1"), ["c"]);
  peers["b"]?.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual(picks(world, "localhost:1"), ["a", "b"]);
});

Deno.test("a draining owner gives way to the next strategy before it is used", async () => {
  const { world, peers } = await worldOf(["destHost", "default"], { owner: "host=here", other: "" });
  peers["owner"]?.stream.sendPacket(drain());
  world.settle();
  assert.deepEqual(picks(world, "here:1"), ["other"]);
});

Deno.test("[server W11] hosts and addresses are compared in one form, not letter by letter", async () => {
  const { world } = await worldOf(["destHost"], {
    six: "ipv6=2001:DB8:0:0::1",
    mapped: "ipv4=10.0.0.1",
    name: "host=Node.Example.COM.",
  });
  assert.deepEqual(picks(world, "[2001:db8::1]:443"), ["six"]);
  assert.deepEqual(picks(world, "[2001:db8::1]"), ["six"]);
  assert.deepEqual(picks(world, "2001:0db8::0001"), ["six"]);
  assert.deepEqual(picks(world, "[::ffff:10.0.0.1]:80"), ["mapped"]);
  assert.deepEqual(picks(world, "node.example.com:80"), ["name"]);
});

Deno.test("destHost: the longest prefix wins among ranges, an address wins over a range", async () => {
  const { world } = await worldOf(["destHost"], {
    wide: "cidr=10.0.0.0/8",
    narrow: "cidr=10.1.0.0/16&cidr=fd00::/64",
    exact: "ipv4=10.1.2.3",
    broken: "cidr=nonsense&cidr=10.0.0.0/99",
  });
  assert.deepEqual(picks(world, "10.2.0.1:1"), ["wide"]);
  assert.deepEqual(picks(world, "10.1.0.1:1"), ["narrow"]);
  assert.deepEqual(picks(world, "10.1.2.3:1"), ["exact"]);
  assert.deepEqual(picks(world, "[fd00::5]:1"), ["narrow"]);
  assert.deepEqual(picks(world, "11.0.0.1:1"), []);
  assert.deepEqual(picks(world, "name:1"), []);
});

Deno.test("[server 13.5-29] ready backends are counted by distinct identifiers, per strategy", async () => {
  const world = new ServerWorld({ strategies: ["default", "destHost"] });
  const counts = () => [world.server.readyBackends("default"), world.server.readyBackends("destHost")];
  assert.deepEqual(counts(), [0, 0]);
  const plain = await world.agent({ agentid: "plain" });
  assert.deepEqual(counts(), [1, 0]);
  const local = await world.agent({ agentid: "local", agentidentifiers: "host=localhost" });
  assert.deepEqual(counts(), [2, 1]);
  lose(plain);
  lose(local);
  assert.deepEqual(counts(), [0, 0]);
});

Deno.test("[server W32] the server is ready when any of its strategies could choose an agent", async () => {
  const { world } = await worldOf(["destHost", "default"], {});
  assert.equal(world.server.notReady, "no connection to any proxy agent");
  await world.agent({ agentid: "plain" });
  assert.equal(world.server.notReady, undefined);
  const { world: scoped } = await worldOf(["destHost"], { plain: "" });
  assert.equal(scoped.server.notReady, "no connection to any proxy agent");
});

Deno.test("[server 13.8-13] with only a draining agent new requests still work", async () => {
  const { world, peers } = await worldOf(["default"], { a: "" });
  peers["a"]?.stream.sendPacket(drain());
  world.settle();
  const client = world.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address: "x:1" }, 1n));
  world.settle();
  assert.deepEqual(peers["a"]?.log, ["DIAL_REQ"]);
});
