import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { PacketSchema } from "../../../gen/client/client_pb.ts";
import { parseDestinationRule } from "../../wire/destination/destination_rule.ts";
import { closeDial, dialed, dialFailed, dialRequest } from "../../wire/packet.ts";
import { DialPolicy } from "../dial_policy.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const target = { protocol: "tcp", address: "localhost:80" };

Deno.test("[server 13.5-23] without an agent a dial is answered with `No agent available`", () => {
  const world = new ServerWorld();
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 111n));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP No agent available"]);
  const { payload } = client.packets[0] ?? create(PacketSchema);
  assert.equal(payload.case === "dialResponse" && payload.value.random, 111n);
  assert.deepEqual(world.events.dialFailures, ["no_agent"]);
});

Deno.test("an address so long that its packet could be refused, and the link lost with it, never reaches the agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address: `${"x".repeat(4_000_000)}:80` }, 1n));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP dial: address of 4000003 characters is longer than any can be"]);
  assert.deepEqual(agent.log, []);
});

Deno.test("[server W6] two clients with the same random each get their own answer", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const first = world.client();
  const second = world.client();
  first.stream.sendPacket(dialRequest(target, 9n));
  world.settle();
  const firstRandom = agent.lastRandom;
  second.stream.sendPacket(dialRequest(target, 9n));
  world.settle();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "no"));
  agent.stream.sendPacket(dialed(firstRandom, 1));
  world.settle();
  assert.deepEqual(first.log, ["DIAL_RSP 1"]);
  assert.deepEqual(second.log, ["DIAL_RSP no"]);
});

Deno.test("[server W8] [pains a-26] a second dial on a stream is refused and the first tunnel goes on", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.openTunnel(agent, 1);
  client.stream.sendPacket(dialRequest(target, 77n));
  client.stream.sendData(1, bytes("still"));
  world.settle();
  assert.deepEqual(client.log.slice(1), [
    "DIAL_RSP this stream carries a tunnel already; open another stream",
  ]);
  assert.equal(agent.text(1), "still");
});

Deno.test("[server W9] [pains a-10] a client that is gone when the agent answers leaves no connection at the agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  const random = agent.lastRandom;
  client.stream.lose();
  agent.stream.sendPacket(dialed(random, 1));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS", "CLOSE_REQ 1"]);
  assert.equal(world.server.pendingDials, 0);
  assert.equal(world.server.establishedTunnels, 0);
  assert.deepEqual(world.events.dialFailures, ["frontend_close", "unrecognized_response"]);
});

Deno.test("[server W10] [pains a-5] DIAL_CLS behind a completed dial closes the connection at the agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.openTunnel(agent, 1);
  client.stream.sendPacket(closeDial(1001n));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "CLOSE_REQ 1"]);
});

Deno.test("[pains a-4] DIAL_CLS cancels a pending dial at the agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  client.stream.sendPacket(closeDial(1n));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS"]);
  assert.deepEqual(world.events.dialFailures, ["frontend_close"]);
});

Deno.test("ids that are negative or fill 63 bits are carried through", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  for (const id of [2n ** 63n - 1n, -1n, -(2n ** 63n)]) {
    const client = world.client();
    client.stream.sendPacket(dialRequest(target, 2n ** 63n - 1n));
    world.settle();
    agent.stream.sendPacket(dialed(agent.lastRandom, id));
    agent.stream.sendData(id, bytes("x"));
    world.settle();
    client.stream.sendData(id, bytes("y"));
    world.settle();
    assert.deepEqual(client.log, [`DIAL_RSP ${id}`, `DATA ${id} 1`]);
    assert.equal(agent.text(id), "y");
  }
});

Deno.test("an agent that answers with a connection id of zero, or one in use, fails that dial alone", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const victim = world.openTunnel(agent, 1);
  for (const id of [0, 1]) {
    const client = world.client();
    client.stream.sendPacket(dialRequest(target, 5n));
    world.settle();
    agent.stream.sendPacket(dialed(agent.lastRandom, id));
    world.settle();
    assert.match(client.log[0] ?? "", /DIAL_RSP agent chose connection id/);
  }
  agent.stream.sendData(1, bytes("mine"));
  world.settle();
  assert.equal(victim.text(1), "mine");
});

Deno.test("an agent that answers a dial twice, or one that was never asked, is told to close", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  world.openTunnel(agent, 1);
  agent.stream.sendPacket(dialed(agent.lastRandom, 2));
  agent.stream.sendPacket(dialed(123456n, 3));
  agent.stream.sendPacket(dialFailed(99n, "late"));
  world.settle();
  assert.deepEqual(agent.log.slice(1), ["CLOSE_REQ 2", "CLOSE_REQ 3"]);
});

Deno.test("[server W18] [pains a-9] a lost agent fails its pending dials at once, with the reason", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  agent.stream.lose(new Error("the wire was cut"));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP agent link lost: the wire was cut"]);
  assert.deepEqual(world.events.dialFailures, ["backend_close"]);
});

Deno.test("a dial that its agent lost is moved to another agent", async () => {
  const world = new ServerWorld();
  const first = await world.agent({ agentid: "a" });
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  const second = await world.agent({ agentid: "b" });
  first.stream.lose();
  world.settle();
  second.stream.sendPacket(dialed(second.lastRandom, 4));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP 4"]);
});

Deno.test("a dial that a draining agent refuses is moved to another agent; without one the client is told", async () => {
  const world = new ServerWorld();
  const first = await world.agent({ agentid: "a" });
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  const second = await world.agent({ agentid: "b" });
  first.stream.sendPacket(dialFailed(first.lastRandom, "agent is draining"));
  world.settle();
  second.stream.sendPacket(dialFailed(second.lastRandom, "agent is draining"));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP agent is draining"]);
});

Deno.test("a dial that the policy refuses reaches no agent: another protocol than tcp, and what a list denies", async () => {
  const rule = parseDestinationRule("10.0.0.0/8");
  if (typeof rule === "string") return assert.fail(rule);
  const world = new ServerWorld({ policy: new DialPolicy({ lists: { allow: [], deny: [rule] }, clients: [] }) });
  const agent = await world.agent();
  const refused = [
    [{ protocol: "unix", address: "/run/containerd.sock" }, "this server passes only tcp on"],
    [{ protocol: "udp", address: "192.0.2.1:53" }, "this server passes only tcp on"],
    [{ protocol: "tcp", address: "10.1.1.1:80" }, "among this server's --deny-destinations"],
  ] as const;
  for (const [asked, why] of refused) {
    const client = world.client();
    client.stream.sendPacket(dialRequest(asked, 5n));
    world.settle();
    assert.deepEqual(client.log, [`DIAL_RSP dial ${asked.protocol} ${asked.address}: not allowed: ${why}`]);
  }
  assert.deepEqual(agent.log, []);
  assert.deepEqual(world.events.dialFailures, ["not_allowed", "not_allowed", "not_allowed"]);
});
