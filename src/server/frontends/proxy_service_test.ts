import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { PacketSchema, PacketType } from "../../../gen/client/client_pb.ts";
import {
  closeDial,
  closeRequest,
  closeResponse,
  closeWrite,
  dialed,
  dialFailed,
  dialRequest,
} from "../../wire/packet.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const target = { protocol: "tcp", address: "localhost:80" };

Deno.test("[server 13.5-24] a dial, data and a close reach the agent in their order", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.openTunnel(agent, 1);
  client.stream.sendData(1, bytes("hello"));
  client.stream.sendPacket(closeRequest(1));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DATA 1 5", "CLOSE_REQ 1"]);
  agent.stream.sendData(1, bytes("bye"));
  agent.stream.sendPacket(closeResponse(1));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP 1", "DATA 1 3", "CLOSE_RSP 1"]);
  assert.equal(world.server.establishedTunnels, 0);
  assert.deepEqual(world.events.closes, ["closed by client"]);
});

Deno.test("[server 13.5-26] DATA before a dial is answered with `backend not initialized`", () => {
  const world = new ServerWorld();
  const client = world.client();
  client.stream.sendData(7, bytes("x"));
  world.settle();
  assert.deepEqual(client.log, ["CLOSE_RSP 7 backend not initialized"]);
});

Deno.test("CLOSE_REQ before a dial is answered and the stream can still dial", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(closeRequest(7));
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  assert.deepEqual(client.log, ["CLOSE_RSP 7 backend uninitialized"]);
  assert.deepEqual(agent.log, ["DIAL_REQ"]);
});

Deno.test("[server 13.5-27] [server W6] DATA for another connection ends the client's own tunnel and touches no other", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const victim = world.openTunnel(agent, 1);
  const intruder = world.openTunnel(agent, 2);
  intruder.stream.sendData(1, bytes("injected"));
  world.settle();
  assert.deepEqual(intruder.log.slice(1), [
    "CLOSE_RSP 1 mismatched connection IDs",
    "CLOSE_RSP 2 mismatched connection IDs",
  ]);
  assert.deepEqual(agent.log.slice(2), ["CLOSE_REQ 2"]);
  victim.stream.sendData(1, bytes("still"));
  agent.stream.sendData(1, bytes("here"));
  world.settle();
  assert.equal(agent.text(1), "still");
  assert.equal(victim.text(1), "here");
});

Deno.test("[server W6] a client cannot close another client's tunnel, nor give up its dial", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const victim = world.openTunnel(agent, 1);
  const pending = world.client();
  pending.stream.sendPacket(dialRequest(target, 5n));
  world.settle();
  const random = agent.lastRandom;
  const intruder = world.openTunnel(agent, 2);
  intruder.stream.sendPacket(closeRequest(1));
  intruder.stream.sendPacket(closeDial(5n));
  intruder.stream.sendPacket(closeDial(random));
  world.settle();
  assert.deepEqual(intruder.log.slice(1), ["CLOSE_RSP 1 mismatched connection IDs"]);
  agent.stream.sendPacket(dialed(random, 3));
  victim.stream.sendData(1, bytes("mine"));
  world.settle();
  assert.deepEqual(pending.log, ["DIAL_RSP 3"]);
  assert.equal(agent.text(1), "mine");
});

Deno.test("a client that goes on with packets that are not of its tunnel loses its stream, and the tunnel with it", async () => {
  const strays = [closeRequest(7), dialRequest(target, 5n)];
  for (const stray of strays) {
    const world = new ServerWorld();
    const agent = await world.agent();
    const client = world.openTunnel(agent, 1);
    for (let count = 0; count < 1000; count++) client.stream.sendPacket(stray);
    world.settle();
    assert.equal(client.log.length, 1 + 17);
    assert.deepEqual(agent.log, ["DIAL_REQ", "CLOSE_REQ 1"]);
    client.stream.end();
    world.settle();
    assert.equal(client.near.closed?.kind, "ended");
  }
});

Deno.test("an agent is asked once to close a connection that nobody knows, however much comes of it", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  for (let count = 0; count < 100; count++) agent.stream.sendData(9, bytes("x"));
  world.settle();
  assert.deepEqual(agent.log, ["CLOSE_REQ 9"]);
  world.openTunnel(agent, 9);
  agent.stream.sendPacket(closeResponse(9));
  agent.stream.sendData(9, bytes("x"));
  world.settle();
  assert.deepEqual(agent.log.slice(1), ["DIAL_REQ", "CLOSE_REQ 9"]);
});

Deno.test("[server W7] [server 13.5-30] [pains a-12..13] streams of one agent id keep their tunnels apart under equal connection ids", async () => {
  const world = new ServerWorld();
  const old = await world.agent();
  const client = world.openTunnel(old, 1);
  const renewed = await world.agent();
  old.stream.sendPacket(create(PacketSchema, { type: PacketType.DRAIN }));
  world.settle();
  const other = world.openTunnel(renewed, 1);
  old.stream.sendData(1, bytes("old"));
  renewed.stream.sendData(1, bytes("new"));
  world.settle();
  assert.equal(client.text(1), "old");
  assert.equal(other.text(1), "new");
  old.stream.lose();
  world.settle();
  assert.match(client.log.at(-1) ?? "", /CLOSE_RSP 1 agent link lost/);
  assert.equal(other.log.at(-1), "DATA 1 3");
});

Deno.test("[server W12] packets without payload, with a wrong one, or of unknown types harm nobody", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const victim = world.openTunnel(agent, 1);
  const hostile = world.client();
  for (const number of [0, 1, 2, 3, 4, 5, 6, 77, 100, 101, -5, 2147483647]) {
    // Numbers that the enumeration does not have: proto3 enumerations are open.
    const type = number as PacketType;
    for (const peer of [hostile, agent]) {
      if (peer === agent && type === PacketType.DRAIN) continue;
      peer.stream.sendPacket(create(PacketSchema, { type }));
      peer.stream.sendPacket(create(PacketSchema, { type, payload: { case: "drain", value: {} } }));
      peer.stream.sendPacket(create(PacketSchema, { type, payload: { case: "closeDial", value: { random: -1n } } }));
    }
  }
  world.settle();
  assert.deepEqual(hostile.log, []);
  victim.stream.sendData(1, bytes("alive"));
  world.settle();
  assert.equal(agent.text(1), "alive");
});

Deno.test("[server 13.5-21] [pains a-14] a lost agent closes its established tunnels and no others", async () => {
  const world = new ServerWorld();
  const first = await world.agent({ agentid: "a" });
  const lost = world.openTunnel(first, 1);
  const second = await world.agent({ agentid: "b" });
  first.stream.sendPacket(create(PacketSchema, { type: PacketType.DRAIN }));
  world.settle();
  const kept = world.openTunnel(second, 1);
  first.stream.lose();
  world.settle();
  assert.match(lost.log.at(-1) ?? "", /^CLOSE_RSP 1 agent link lost/);
  kept.stream.sendData(1, bytes("on"));
  world.settle();
  assert.equal(second.text(1), "on");
  assert.equal(world.server.establishedTunnels, 1);
});

Deno.test("[server W19] the stream ends once its tunnel's end was told", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.client();
  client.stream.sendPacket(dialRequest(target, 1n));
  world.settle();
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "refused"));
  world.settle();
  assert.equal(client.ended, true);
});

Deno.test("[pains a-15] a client that vanishes closes its connection at the agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.openTunnel(agent, 1);
  client.stream.lose();
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "CLOSE_REQ 1"]);
  agent.stream.sendPacket(closeResponse(1));
  world.settle();
  assert.equal(world.server.establishedTunnels, 0);
  assert.deepEqual(world.events.closes, ["reset by client"]);
});

Deno.test("half-close travels both ways between peers that have the feature", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "half-close, window, teleport" });
  assert.equal(agent.headers["konnectivity-features"], "half-close,window");
  const client = world.openTunnel(agent, 1, "early-data,half-close");
  client.stream.sendData(1, bytes("question"));
  client.stream.sendPacket(closeWrite(1));
  world.settle();
  assert.deepEqual(agent.log.slice(1), ["DATA 1 8", "CLOSE_WRITE 1"]);
  agent.stream.sendData(1, bytes("answer"));
  agent.stream.sendPacket(closeWrite(1));
  agent.stream.sendPacket(closeResponse(1));
  world.settle();
  assert.deepEqual(client.log.slice(1), ["DATA 1 6", "CLOSE_WRITE 1", "CLOSE_RSP 1"]);
});

Deno.test("what is held for a client that cannot take it yet returns no credit to the agent, until the client speaks", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const client = world.openTunnel(agent, 1, "half-close");
  for (let sent = 0; sent < 192 * 1024; sent += 32 * 1024) agent.stream.sendData(1, new Uint8Array(32 * 1024));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ"]);
  client.stream.sendData(1, bytes("hello"));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "WINDOW 1", "DATA 1 5"]);
});

Deno.test("what was held and meets a client that does not read returns its credit when the client has read it", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const client = world.openTunnel(agent, 1, "half-close");
  client.near.highWaterBytes = 1;
  client.stream.pause();
  for (let sent = 0; sent < 192 * 1024; sent += 32 * 1024) agent.stream.sendData(1, new Uint8Array(32 * 1024));
  client.stream.sendData(1, bytes("hello"));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DATA 1 5"]);
  client.stream.resume();
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DATA 1 5", "WINDOW 1"]);
});

Deno.test("a destination's end closes the tunnel of a client that knows no half-close", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "half-close" });
  const client = world.openTunnel(agent, 1);
  agent.stream.sendData(1, bytes("all"));
  agent.stream.sendPacket(closeWrite(1));
  world.settle();
  assert.deepEqual(client.log.slice(1), ["DATA 1 3", "CLOSE_RSP 1"]);
  assert.deepEqual(agent.log.slice(1), ["CLOSE_REQ 1"]);
});

Deno.test("an agent without features is sent none of this project's packets", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  assert.equal(agent.headers["konnectivity-features"], undefined);
  const client = world.openTunnel(agent, 1, "early-data,half-close");
  for (let i = 0; i < 100; i++) agent.stream.sendData(1, new Uint8Array(64 * 1024));
  client.stream.sendPacket(closeWrite(1));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "CLOSE_REQ 1"]);
});

Deno.test("an agent that sends more than a tunnel's window loses that tunnel and no other", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const greedy = world.openTunnel(agent, 1);
  greedy.stream.pause();
  greedy.near.highWaterBytes = 1;
  const other = world.openTunnel(agent, 2);
  for (let i = 0; i < 5; i++) agent.stream.sendData(1, new Uint8Array(64 * 1024));
  agent.stream.sendData(2, bytes("fine"));
  world.settle();
  assert.ok(agent.log.includes("CLOSE_REQ 1"), agent.log.join(", "));
  assert.equal(other.text(2), "fine");
});

Deno.test("the agent's link is told of a conversation when a client answers what is small, and not of an upload", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const upload = world.openTunnel(agent, 1);
  const talk = world.openTunnel(agent, 2);
  upload.stream.sendData(1, new Uint8Array(64 * 1024));
  world.settle();
  agent.stream.sendData(1, bytes("more"));
  world.settle();
  upload.stream.sendData(1, bytes("end"));
  world.settle();
  assert.deepEqual(agent.near.interactiveMs, []);
  agent.stream.sendData(2, bytes("220 ready"));
  world.settle();
  talk.stream.sendData(2, bytes("EHLO"));
  world.settle();
  assert.deepEqual(agent.near.interactiveMs, [50]);
});

Deno.test("[server W14] a client that stops reading holds back its own tunnel only, and gets credit when it reads", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const slow = world.openTunnel(agent, 1);
  const neighbour = world.openTunnel(agent, 2);
  slow.near.highWaterBytes = 1;
  slow.stream.pause();
  for (let i = 0; i < 4; i++) agent.stream.sendData(1, new Uint8Array(64 * 1024));
  agent.stream.sendData(2, bytes("prompt"));
  world.settle();
  assert.equal(neighbour.text(2), "prompt");
  assert.ok(!agent.log.includes("WINDOW 1"));
  slow.stream.resume();
  world.settle();
  assert.ok(agent.log.includes("WINDOW 1"));
});

Deno.test("a destination that speaks first, and late, is heard by a client that may lose early data", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const client = world.openTunnel(agent, 1, "");
  world.clock.advance(1_500);
  agent.stream.sendData(1, bytes("220 ready"));
  world.settle();
  assert.deepEqual(client.log, ["DIAL_RSP 1", "DATA 1 9"]);
  client.stream.sendData(1, bytes("HELO"));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DATA 1 4"]);
  assert.equal(world.server.establishedTunnels, 1);
});
