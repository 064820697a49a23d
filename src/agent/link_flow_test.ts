import assert from "node:assert/strict";
import { LinkWorld } from "../../tests/support/memory/link_world.ts";
import { flowLimits } from "../mux/flow_limits.ts";
import { closeRequest, closeWrite, windowCredit } from "../wire/packet.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** More than a small payload. */
const bulk = "x".repeat(flowLimits.smallPayloadBytes + 1);

Deno.test("bytes of the destination that wait for the link go out before the close is answered", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.near.highWaterBytes = 4;
  socket.says(bulk);
  assert.equal(socket.paused, true);
  socket.says("67890");
  world.server.stream.sendPacket(closeRequest(id));
  // The request arrives while the bytes still wait.
  world.server.stream.deliverOne();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} ${bulk.length}`, `DATA ${id} 5`, `CLOSE_RSP ${id}`]);
  assert.equal(world.link.queuedBytes, 0);
  assert.equal(world.link.tunnelCount, 0);
});

Deno.test("sources that wait for the link go on in turn when it takes data again", async () => {
  const world = new LinkWorld();
  const one = await world.tunnel(1n);
  const two = await world.tunnel(2n);
  world.near.highWaterBytes = 3;
  one.socket.says(bulk);
  two.socket.says(bulk);
  assert.equal(one.socket.paused, true);
  assert.equal(two.socket.paused, true);
  await world.settle();
  assert.equal(one.socket.paused, false);
  assert.equal(two.socket.paused, false);
  assert.deepEqual(world.server.log.slice(2), [`DATA ${one.id} ${bulk.length}`, `DATA ${two.id} ${bulk.length}`]);
});

Deno.test("a small payload goes before the bulk that waits for the link, once while the link holds back", async () => {
  const world = new LinkWorld();
  const one = await world.tunnel(1n);
  const two = await world.tunnel(2n);
  const talk = await world.tunnel(3n);
  world.near.highWaterBytes = 3;
  one.socket.says(bulk);
  two.socket.says(bulk);
  talk.socket.says("ping");
  assert.equal(talk.socket.paused, false);
  talk.socket.says("pong");
  assert.equal(talk.socket.paused, true, "it had its turn");
  await world.settle();
  assert.equal(talk.socket.paused, false);
  assert.deepEqual(world.server.log.slice(3), [
    `DATA ${one.id} ${bulk.length}`,
    `DATA ${talk.id} 4`,
    `DATA ${two.id} ${bulk.length}`,
    `DATA ${talk.id} 4`,
  ]);
});

Deno.test("the link is told of a conversation at the first answer in it, and not of a download", async () => {
  const world = new LinkWorld();
  const download = await world.tunnel(1n);
  const talk = await world.tunnel(2n);
  world.server.stream.sendData(download.id, text("GET"));
  await world.settle();
  download.socket.says(bulk);
  assert.deepEqual(world.near.interactiveMs, []);
  world.server.stream.sendData(talk.id, text("ping"));
  await world.settle();
  talk.socket.says("pong");
  assert.deepEqual(world.near.interactiveMs, [50]);
});

Deno.test("small payloads go before bulk up to a bound for all tunnels, and never before their own tunnel's bytes", async () => {
  const world = new LinkWorld();
  const { socket } = await world.tunnel(1n);
  const small = "x".repeat(flowLimits.smallPayloadBytes);
  const many = flowLimits.aheadBytes / small.length;
  const talkers = [];
  for (let i = 0; i <= many; i++) talkers.push(await world.tunnel(BigInt(10 + i)));
  world.near.highWaterBytes = 3;
  socket.says(bulk);
  socket.says("behind its own bulk");
  for (const talker of talkers) talker.socket.says(small);
  assert.equal(world.near.pending, 1 + many);
  assert.deepEqual(talkers.map((talker) => talker.socket.paused), [...Array(many).fill(false), true]);
  await world.settle();
  assert.equal(talkers.at(-1)?.socket.paused, false);
  assert.equal(world.link.queuedBytes, 0);
});

Deno.test("[agent weak 4] a destination that does not read holds the link for a grace at most, then its tunnel is closed", async () => {
  const world = new LinkWorld([], { endpointBufferBytes: 10, stallGraceMs: 1000 });
  const stuck = await world.tunnel(1n);
  const other = await world.tunnel(2n);
  stuck.socket.stuck = true;
  world.server.stream.sendData(stuck.id, new Uint8Array(10));
  await world.settle();
  assert.equal(world.near.paused, false);
  world.server.stream.sendData(stuck.id, new Uint8Array(1));
  await world.settle();
  assert.equal(world.near.paused, true);
  world.server.stream.sendData(other.id, text("neighbour"));
  await world.settle();
  world.clock.advance(999);
  assert.equal(other.socket.text, "");
  world.clock.advance(1);
  assert.equal(world.near.paused, false);
  await world.settle();
  assert.equal(other.socket.text, "neighbour");
  assert.equal(stuck.socket.destroyed, true);
  assert.deepEqual(world.server.log.slice(2), [`CLOSE_RSP ${stuck.id} destination has not read for 1 s`]);
  assert.equal(world.events.log.at(-1), "closed: stalled by agent");
  assert.equal(world.link.tunnelCount, 1);
});

Deno.test("[agent weak 4] a destination that takes some in time releases the link and keeps its tunnel", async () => {
  const world = new LinkWorld([], { endpointBufferBytes: 10, stallGraceMs: 1000 });
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  for (let piece = 0; piece < 3; piece++) world.server.stream.sendData(id, new Uint8Array(5));
  await world.settle();
  assert.equal(world.near.paused, true);
  world.clock.advance(900);
  socket.takesSome();
  assert.equal(world.near.paused, false);
  world.clock.advance(10_000);
  assert.equal(world.link.tunnelCount, 1);
  assert.equal(world.clock.pending, 0);
});

Deno.test("a tunnel that is closed while it holds the link lets it go", async () => {
  const world = new LinkWorld([], { endpointBufferBytes: 1 });
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, new Uint8Array(2));
  await world.settle();
  assert.equal(world.near.paused, true);
  socket.closes(new Error("reset"));
  assert.equal(world.near.paused, false);
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`CLOSE_RSP ${id}`]);
  assert.equal(world.events.log.at(-1), "closed: reset by destination");
});

Deno.test("a tunnel that is over holds the link no more, however much waits for its destination", async () => {
  const world = new LinkWorld([], { endpointBufferBytes: 10 });
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  for (let piece = 0; piece < 5; piece++) world.server.stream.sendData(id, new Uint8Array(20));
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  // The first piece closed the gate, what was in flight came all the same.
  world.near.resume();
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  socket.takesSome();
  assert.ok(world.link.queuedBytes > 10, "more waits than holds a link");
  assert.equal(world.near.paused, false);
});

Deno.test("with half-close, a client that ends its direction still gets the destination's answer", async () => {
  const world = new LinkWorld(["half-close"]);
  const { id, socket } = await world.tunnel();
  world.server.stream.sendData(id, text("question"));
  world.server.stream.sendPacket(closeWrite(id));
  await world.settle();
  assert.equal(socket.text, "question");
  assert.equal(socket.ended, true);
  socket.says("answer");
  socket.ends();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} 6`, `CLOSE_RSP ${id}`]);
  socket.closes();
  assert.equal(world.link.idle, true);
});

Deno.test("[agent weak 8] with half-close, a destination that ends its direction still gets what the client sends", async () => {
  const world = new LinkWorld(["half-close"]);
  const { id, socket } = await world.tunnel();
  socket.says("greeting");
  socket.ends();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} 8`, `CLOSE_WRITE ${id}`]);
  world.server.stream.sendData(id, text("more"));
  world.server.stream.sendPacket(closeWrite(id));
  await world.settle();
  assert.equal(socket.text, "more");
  assert.equal(socket.ended, true);
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  assert.equal(world.link.tunnelCount, 0);
});

Deno.test("with half-close, a destination's end waits behind its bytes that the link has not taken", async () => {
  const world = new LinkWorld(["half-close"]);
  const { id, socket } = await world.tunnel();
  world.near.highWaterBytes = 4;
  socket.says("12345");
  socket.says("67890");
  socket.ends();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} 5`, `DATA ${id} 5`, `CLOSE_WRITE ${id}`]);
});

Deno.test("without half-close, CLOSE_WRITE is a packet of another version and is ignored", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.server.stream.sendPacket(closeWrite(id));
  await world.settle();
  assert.equal(socket.ended, false);
});

Deno.test("with windows, the agent sends no more than its credit, and goes on when credit comes", async () => {
  const world = new LinkWorld(["window"]);
  const { id, socket } = await world.tunnel();
  const piece = "x".repeat(64 * 1024);
  for (let count = 0; count < 5; count++) socket.says(piece);
  await world.settle();
  const sent = () => world.server.data.reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal(sent(), 256 * 1024);
  assert.equal(socket.paused, true);
  world.server.stream.sendPacket(windowCredit(id, 128 * 1024));
  await world.settle();
  assert.equal(sent(), 320 * 1024);
  assert.equal(socket.paused, false);
});

Deno.test("with windows, a destination that does not read never holds the link", async () => {
  const world = new LinkWorld(["window"], { endpointBufferBytes: 1 });
  const { id, socket } = await world.tunnel();
  const other = await world.tunnel(2n);
  socket.stuck = true;
  world.server.stream.sendData(id, new Uint8Array(256 * 1024));
  world.server.stream.sendData(other.id, text("neighbour"));
  await world.settle();
  assert.equal(world.near.paused, false);
  assert.equal(other.socket.text, "neighbour");
  assert.equal(world.clock.pending, 0);
  // Credit returns when the destination has taken the bytes, not when they came.
  assert.equal(world.server.log.length, 2);
  socket.takes();
  await world.settle();
  assert.match(world.server.log.at(-1) ?? "", /^WINDOW/);
});

Deno.test("with windows, a server that sends more than it may loses that tunnel only", async () => {
  const world = new LinkWorld(["window"]);
  const { id, socket } = await world.tunnel();
  const other = await world.tunnel(2n);
  socket.stuck = true;
  world.server.stream.sendData(id, new Uint8Array(256 * 1024));
  world.server.stream.sendData(id, new Uint8Array(1));
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id} server sent more than the tunnel's window`);
  assert.equal(socket.destroyed, true);
  world.server.stream.sendPacket(windowCredit(other.id, -5));
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${other.id} server returned impossible credit`);
  assert.equal(world.ended, undefined);
});

Deno.test("with windows, a close is answered at once even when the client returns no more credit", async () => {
  const world = new LinkWorld(["window"]);
  const { id, socket } = await world.tunnel();
  for (let count = 0; count < 6; count++) socket.says("x".repeat(64 * 1024));
  await world.settle();
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  assert.equal(world.link.queuedBytes, 0);
});

Deno.test("a destination that ends with bytes waiting for credit is forgotten once they are sent", async () => {
  const world = new LinkWorld(["window"]);
  const { id, socket } = await world.tunnel();
  for (let count = 0; count < 6; count++) socket.says("x".repeat(64 * 1024));
  socket.ends();
  socket.closes();
  await world.settle();
  assert.notEqual(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  assert.equal(world.link.idle, false);
  world.server.stream.sendPacket(windowCredit(id, 256 * 1024));
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  assert.equal(world.link.queuedBytes, 0);
  assert.equal(world.link.idle, true);
});
