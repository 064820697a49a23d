import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { PacketSchema } from "../../gen/client/client_pb.ts";
import { leakTest } from "../../tests/support/leak_free.ts";
import { FakeSocket, LinkWorld } from "../../tests/support/link_world.ts";
import { until } from "../../tests/support/until.ts";
import { dialTcp } from "../net/dial_tcp.ts";
import {
  closeDial,
  closeRequest,
  closeResponse,
  closeWrite,
  dialed,
  dialRequest,
  drain,
  PacketType,
  windowCredit,
} from "../wire/packet.ts";
import { drainingAnswer } from "./link.ts";

const target = { protocol: "tcp", address: "destination:80" };
const text = (value: string) => new TextEncoder().encode(value);

Deno.test("a dial is answered with the client's number and the next connection id, counted from one, failures too", async () => {
  const world = new LinkWorld();
  world.server.stream.sendPacket(dialRequest(target, 7n));
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp6", address: "other:1" }, 8n));
  await world.settle();
  assert.deepEqual(world.dials.map(({ network, address }) => `${network} ${address}`), [
    "tcp destination:80",
    "tcp6 other:1",
  ]);
  assert.equal(world.link.pendingDials, 2);
  world.dials[0]?.end({ ok: false, failure: { reason: "timeout", message: "dial tcp destination:80: i/o timeout" } });
  await world.settle();
  world.dials[1]?.end({ ok: true, stream: new FakeSocket() });
  await world.settle();
  assert.deepEqual(world.server.log, ["DIAL_RSP dial tcp destination:80: i/o timeout", "DIAL_RSP 2"]);
  const randoms = world.server.packets.map(({ payload }) => payload.case === "dialResponse" && payload.value.random);
  assert.deepEqual(randoms, [7n, 8n]);
  assert.deepEqual(world.events.log, ["dial failed: timeout", "dialed"]);
  assert.equal(world.link.pendingDials, 0);
});

Deno.test("[agent 9-3] ConnectionMismatch: DATA for a connection that was never dialled is answered with a close, once", async () => {
  const world = new LinkWorld();
  world.server.stream.sendData(12345, text("x"));
  world.server.stream.sendData(12345, text("y"));
  await world.settle();
  assert.deepEqual(world.server.log, ["CLOSE_RSP 12345 unrecognized connectID"]);
});

Deno.test("DATA without a connection id is dropped without an answer", async () => {
  const world = new LinkWorld();
  world.server.stream.sendData(0, text("x"));
  await world.settle();
  assert.deepEqual(world.server.log, []);
});

Deno.test("[agent 9-2] Close_Client: a close is answered without an error, a second one as unknown, and the socket ends", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`CLOSE_RSP ${id}`, `CLOSE_RSP ${id} Unknown connectID`]);
  assert.equal(world.link.tunnelCount, 0);
  assert.equal(socket.ended, true);
  assert.equal(world.link.idle, false);
  socket.closes();
  assert.equal(world.link.idle, true);
  assert.deepEqual(world.events.log, ["dialed", "closed: closed by client"]);
  assert.equal(world.clock.pending, 0);
});

Deno.test("a close of an unknown connection is answered, also of one without an id", async () => {
  const world = new LinkWorld();
  world.server.stream.sendPacket(closeRequest(0));
  world.server.stream.sendPacket(closeRequest(-5n));
  await world.settle();
  assert.deepEqual(world.server.log, ["CLOSE_RSP 0 Unknown connectID", "CLOSE_RSP -5 Unknown connectID"]);
});

Deno.test("[agent weak 2] packets without a payload, with another type's, or of no known type are ignored", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  const payloads = [
    dialRequest(target, 1n),
    dialed(1n, 1),
    closeRequest(id),
    closeResponse(id),
    closeDial(111n),
    drain(),
    closeWrite(id),
    windowCredit(id, 1),
  ].map(({ payload }) => payload);
  // 99: of a later version, which the generated type does not know.
  const types = [...Object.values(PacketType).filter((type) => typeof type === "number"), 99 as PacketType];
  const own = new Map<number, string>([
    [PacketType.DIAL_REQ, "dialRequest"],
    [PacketType.CLOSE_REQ, "closeRequest"],
    [PacketType.DIAL_CLS, "closeDial"],
  ]);
  for (const type of types) {
    world.server.stream.sendPacket(create(PacketSchema, { type }));
    for (const payload of payloads) {
      if (own.get(type) !== payload.case) world.server.stream.sendPacket(create(PacketSchema, { type, payload }));
    }
  }
  await world.settle();
  assert.equal(world.ended, undefined);
  assert.equal(world.server.log.length, 1);
  assert.equal(world.dials.length, 1);
  socket.says("still here");
  await world.settle();
  assert.equal(world.server.text(id), "still here");
});

Deno.test("[pains a-4] the client gives up while the dial is under way: the dial is cancelled and nothing is answered", async () => {
  const world = new LinkWorld();
  world.server.stream.sendPacket(dialRequest(target, 5n));
  await world.settle();
  const [dial] = world.dials;
  world.server.stream.sendPacket(closeDial(5n));
  await world.settle();
  assert.equal(dial?.options.signal.aborted, true);
  // The connection may have been there already.
  const socket = new FakeSocket();
  dial?.end({ ok: true, stream: socket });
  await world.settle();
  assert.equal(socket.destroyed, true);
  assert.deepEqual(world.server.log, []);
  assert.equal(world.link.idle, true);
});

Deno.test("[agent weak 34] [pains a-4] a dial given up while its answer is on the way closes what it opened", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel(9n);
  world.server.stream.sendPacket(closeDial(9n));
  await world.settle();
  assert.equal(socket.ended, true);
  assert.deepEqual(world.server.log.slice(1), [`CLOSE_RSP ${id}`]);
});

Deno.test("a client's number means its dial only until the client has used the connection", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel(9n);
  world.server.stream.sendData(id, text("used"));
  await world.settle();
  world.server.stream.sendPacket(closeDial(9n));
  await world.settle();
  assert.equal(socket.ended, false);
  assert.equal(world.link.tunnelCount, 1);
});

Deno.test("[agent weak 12] dials under way are bounded: one too many is refused at once, and later ones go again", async () => {
  const world = new LinkWorld([], { maxPendingDials: 2 });
  for (let random = 1n; random <= 3n; random++) world.server.stream.sendPacket(dialRequest(target, random));
  await world.settle();
  assert.equal(world.dials.length, 2);
  assert.deepEqual(world.server.log, ["DIAL_RSP agent has 2 dials under way"]);
  world.dials[0]?.end({ ok: true, stream: new FakeSocket() });
  await world.settle();
  world.server.stream.sendPacket(dialRequest(target, 4n));
  await world.settle();
  assert.equal(world.dials.length, 3);
});

Deno.test("what the destination says before the client speaks follows the answer to the dial", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  socket.says("220 ready");
  await world.settle();
  assert.deepEqual(world.server.log, [`DIAL_RSP ${id}`, `DATA ${id} 9`]);
});

Deno.test("[agent weak 7] bytes that were accepted before a close are written before the socket ends", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  for (const piece of ["a", "b", "c"]) world.server.stream.sendData(id, text(piece));
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  // The client is not kept waiting for a slow destination.
  assert.deepEqual(world.server.log.slice(1), [`CLOSE_RSP ${id}`]);
  assert.equal(socket.ended, false);
  socket.takes();
  assert.equal(socket.text, "abc");
  assert.equal(socket.ended, true);
  assert.equal(socket.destroyed, false);
});

Deno.test("[agent weak 7] a destination that ends first still gets what was accepted before", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, text("first"));
  world.server.stream.sendData(id, text("second"));
  await world.settle();
  socket.says("bye");
  socket.ends();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} 3`, `CLOSE_RSP ${id}`]);
  socket.takes();
  assert.equal(socket.text, "firstsecond");
  assert.equal(socket.ended, true);
});

Deno.test("a destination that never takes the last bytes is dropped after a grace", async () => {
  const world = new LinkWorld([], { closeGraceMs: 1000 });
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, text("x"));
  world.server.stream.sendData(id, text("y"));
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  world.clock.advance(999);
  assert.equal(socket.destroyed, false);
  world.clock.advance(1);
  assert.equal(socket.destroyed, true);
  assert.equal(world.link.idle, true);
});

Deno.test("after a close a destination that talks on is read up to a bound, and dropped at once beyond it", async () => {
  const world = new LinkWorld([], { discardBytes: 10 });
  const { id, socket } = await world.tunnel();
  socket.pause();
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  assert.equal(socket.paused, false);
  socket.says("0123456789");
  assert.equal(socket.destroyed, false);
  socket.says("0");
  assert.equal(socket.destroyed, true);
  await world.settle();
  assert.deepEqual(world.server.data, []);
  assert.equal(world.link.idle, true);
  assert.equal(world.clock.pending, 0);
});

Deno.test("after a close a destination that talks on is only not read any more while bytes for it wait", async () => {
  const world = new LinkWorld([], { discardBytes: 10, closeGraceMs: 1000 });
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, text("for the destination"));
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  socket.says("more than ten bytes");
  assert.equal(socket.destroyed, false);
  assert.equal(socket.paused, true);
  world.clock.advance(1000);
  assert.equal(socket.destroyed, true);
});

leakTest(
  "after a close all bytes reach a destination that answers each of them and reads no further otherwise",
  async () => {
    const bytes = 8 * 1024 * 1024;
    let received = 0;
    let ended = false;
    const echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("data", (chunk: Uint8Array) => {
        received += chunk.length;
        if (!socket.write(chunk)) socket.pause();
      });
      socket.on("drain", () => socket.resume());
      socket.on("end", () => {
        ended = true;
        socket.end();
      });
      socket.on("error", () => {});
    });
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    const world = new LinkWorld([], { endpointBufferBytes: 2 * bytes });
    world.server.stream.sendPacket(dialRequest(target, 1n));
    await world.settle();
    const address = `127.0.0.1:${(echo.address() as AddressInfo).port}`;
    world.dials[0]?.end(await dialTcp("tcp", address, { timeoutMs: 5_000, signal: new AbortController().signal }));
    await world.settle();
    for (let sent = 0; sent < bytes; sent += 64 * 1024) world.server.stream.sendData(1, new Uint8Array(64 * 1024));
    world.server.stream.sendPacket(closeRequest(1));
    await world.settle();
    await until("everything has arrived, and the end", () => ended);
    assert.equal(received, bytes);
    await until("the socket is gone", () => world.link.idle);
    echo.close();
    await once(echo, "close");
  },
);

Deno.test("bytes of the destination that wait for the link go out before the close is answered", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.near.highWaterBytes = 4;
  socket.says("12345");
  assert.equal(socket.paused, true);
  socket.says("67890");
  world.server.stream.sendPacket(closeRequest(id));
  // The request arrives while the bytes still wait.
  world.server.stream.deliverOne();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [`DATA ${id} 5`, `DATA ${id} 5`, `CLOSE_RSP ${id}`]);
  assert.equal(world.link.queuedBytes, 0);
  assert.equal(world.link.tunnelCount, 0);
});

Deno.test("sources that wait for the link go on in turn when it takes data again", async () => {
  const world = new LinkWorld();
  const one = await world.tunnel(1n);
  const two = await world.tunnel(2n);
  world.near.highWaterBytes = 3;
  one.socket.says("111");
  two.socket.says("222");
  assert.equal(one.socket.paused, true);
  assert.equal(two.socket.paused, true);
  await world.settle();
  assert.equal(one.socket.paused, false);
  assert.equal(two.socket.paused, false);
  assert.deepEqual(world.server.log.slice(2), [`DATA ${one.id} 3`, `DATA ${two.id} 3`]);
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
  // The first piece closed the gate, what was under way came all the same.
  world.near.resume();
  await world.settle();
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${id}`);
  socket.takesSome();
  assert.ok(world.link.queuedBytes > 10, "more waits than holds a link");
  assert.equal(world.near.paused, false);
});

Deno.test("dials that share a number all end with their link", async () => {
  const world = new LinkWorld();
  for (let dial = 0; dial < 3; dial++) world.server.stream.sendPacket(dialRequest(target, 5n));
  await world.settle();
  world.server.stream.lose(new Error("network is gone"));
  await world.settle();
  assert.deepEqual(world.dials.map(({ options }) => options.signal.aborted), [true, true, true]);
  // One that succeeds at this very moment is of no use to anybody.
  const sockets = world.dials.map(() => new FakeSocket());
  world.dials.forEach((dial, at) => dial.end({ ok: true, stream: sockets[at] ?? assert.fail() }));
  await world.settle();
  assert.ok(sockets.every(({ destroyed }) => destroyed));
  assert.equal(world.link.tunnelCount, 0);
  assert.equal(world.link.idle, true);
});

Deno.test("[agent weak 5] [agent weak 14] a lost link takes its sockets and dials with it, also of destinations that do not read", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, new Uint8Array(10));
  world.server.stream.sendPacket(dialRequest(target, 2n));
  await world.settle();
  world.server.stream.lose(new Error("network is gone"));
  await world.settle();
  assert.equal(socket.destroyed, true);
  assert.equal(world.dials[1]?.options.signal.aborted, true);
  assert.equal(world.ended?.kind, "failed");
  assert.equal(world.link.socketCount, 0);
  assert.deepEqual(world.events.log.slice(1), [
    "stream failed: to_agent Unknown Unknown",
    "closed: link_lost by agent",
  ]);
  world.dials[1]?.end({ ok: false, failure: { reason: "unknown", message: "canceled" } });
  await world.settle();
  assert.equal(world.link.idle, true);
  assert.equal(world.clock.pending, 0);
});

Deno.test("a link that is lost behind a close does not take the bytes that were accepted before the close", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  socket.stuck = true;
  world.server.stream.sendData(id, text("x"));
  world.server.stream.sendData(id, text("y"));
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  world.server.stream.lose();
  await world.settle();
  assert.equal(socket.destroyed, false);
  socket.takes();
  assert.equal(socket.text, "xy");
  assert.equal(socket.ended, true);
});

Deno.test("[agent 9-5] [pains a-17] Drain: DRAIN goes out at once, without a packet coming in; tunnels and new dials go on", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.link.drain();
  world.link.drain();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), ["DRAIN"]);
  socket.says("on");
  await world.settle();
  assert.equal(world.server.text(id), "on");
  const next = await world.tunnel(2n);
  assert.equal(next.id, 2);
});

Deno.test("a link that is closed tells of every tunnel's end, and refuses dials so that another agent takes them", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.server.stream.sendPacket(dialRequest(target, 2n));
  await world.settle();
  world.link.close("agent is shutting down");
  world.server.stream.sendPacket(dialRequest(target, 3n));
  await world.settle();
  world.server.stream.end();
  await world.settle();
  assert.deepEqual(world.server.log.slice(1), [
    `DIAL_RSP ${drainingAnswer}`,
    `CLOSE_RSP ${id} agent is shutting down`,
  ]);
  assert.equal(world.dials.length, 2);
  assert.equal(world.dials[1]?.options.signal.aborted, true);
  assert.equal(socket.destroyed, true);
  assert.deepEqual(world.ended, { kind: "ended" });
  assert.equal(world.events.log.at(-1), "closed: shutdown by agent");
});

Deno.test("a server that ends its side of the link ends the link", async () => {
  const world = new LinkWorld();
  world.server.stream.end();
  await world.settle();
  assert.deepEqual(world.ended, { kind: "ended" });
});

Deno.test("[pains a-3] a hundred dials that fail leave a link that works and holds nothing", async () => {
  const world = new LinkWorld();
  for (let random = 1n; random <= 100n; random++) world.server.stream.sendPacket(dialRequest(target, random));
  await world.settle();
  for (const dial of world.dials) dial.end({ ok: false, failure: { reason: "unknown", message: "no" } });
  await world.settle();
  assert.equal(world.server.log.length, 100);
  assert.equal(world.link.idle, true);
  const { id } = await world.tunnel(101n);
  assert.equal(id, 101);
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

Deno.test("[pains a-1] a slow dial holds up neither the tunnels of its link nor other dials, nor a close", async () => {
  const world = new LinkWorld();
  const open = await world.tunnel(1n);
  world.server.stream.sendPacket(dialRequest(target, 2n));
  await world.settle();
  world.server.stream.sendData(open.id, text("meanwhile"));
  const next = await world.tunnel(3n);
  world.server.stream.sendPacket(closeRequest(next.id));
  await world.settle();
  assert.equal(open.socket.text, "meanwhile");
  assert.equal(next.id, 3);
  assert.equal(world.server.log.at(-1), `CLOSE_RSP ${next.id}`);
  assert.equal(world.link.pendingDials, 1);
});

Deno.test("[pains a-28] an idle tunnel has no time limit and works afterwards", async () => {
  const world = new LinkWorld();
  const { id, socket } = await world.tunnel();
  world.clock.advance(7 * 24 * 3_600_000);
  world.server.stream.sendData(id, text("after a week"));
  await world.settle();
  assert.equal(socket.text, "after a week");
});
