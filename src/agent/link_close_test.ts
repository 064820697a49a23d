import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { FakeSocket, LinkWorld } from "../../tests/support/memory/link_world.ts";
import { until } from "../../tests/support/assert/until.ts";
import { dialTcp } from "../net/tcp/dial_tcp.ts";
import { closeRequest, dialRequest } from "../wire/packet.ts";
import { drainingAnswer } from "../wire/packet.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { dialContext } from "../dial/connector.ts";

const context = dialContext("destinations", systemClock);

const target = { protocol: "tcp", address: "destination:80" };
const text = (value: string) => new TextEncoder().encode(value);

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

Deno.test("after a close a destination that keeps sending is read up to a bound, and dropped a moment later beyond it", async () => {
  const world = new LinkWorld([], { discardBytes: 10, excessGraceMs: 200 });
  const { id, socket } = await world.tunnel();
  socket.pause();
  world.server.stream.sendPacket(closeRequest(id));
  await world.settle();
  assert.equal(socket.paused, false);
  socket.says("0123456789");
  assert.deepEqual([socket.destroyed, socket.paused], [false, false]);
  socket.says("0");
  assert.deepEqual([socket.destroyed, socket.paused], [false, true]);
  // What was written is on its way; a socket with unread bytes would be reset.
  world.clock.advance(199);
  assert.equal(socket.destroyed, false);
  world.clock.advance(1);
  assert.equal(socket.destroyed, true);
  await world.settle();
  assert.deepEqual(world.server.data, []);
  assert.equal(world.link.idle, true);
  assert.equal(world.clock.pending, 0);
});

Deno.test("after a close a destination is read as far as what it was sent may be answered, and no further", async () => {
  for (const [sent, least, most] of [[0, 100, 100], [5, 140, 140], [100, 900, 500]] as const) {
    const limits = { discardLeastBytes: 100, discardFactor: 8, discardBytes: 500 };
    const world = new LinkWorld([], limits);
    const { id, socket } = await world.tunnel();
    if (sent > 0) world.server.stream.sendData(id, new Uint8Array(sent));
    await world.settle();
    world.server.stream.sendPacket(closeRequest(id));
    await world.settle();
    socket.says("x".repeat(Math.min(least, most)));
    assert.equal(socket.paused, false, `${sent} bytes were sent`);
    socket.says("x");
    assert.equal(socket.paused, true, `${sent} bytes were sent`);
    world.clock.advance(10_000);
    assert.equal(world.link.idle, true);
    assert.equal(world.clock.pending, 0);
  }
});

Deno.test("after a close a destination that keeps sending is only not read any more while bytes for it wait", async () => {
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
    world.dials[0]?.end(
      await dialTcp("tcp", address, { timeoutMs: 5_000, signal: new AbortController().signal }, context),
    );
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
