import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { PacketSchema } from "../../gen/client/client_pb.ts";
import { FakeSocket, LinkWorld } from "../../tests/support/memory/link_world.ts";
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

Deno.test("[pains a-4] the client gives up while the dial is in flight: the dial is cancelled and nothing is answered", async () => {
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

Deno.test("[agent weak 12] dials in flight are bounded: one too many is refused at once, and later ones go again", async () => {
  const world = new LinkWorld([], { maxPendingDials: 2 });
  for (let random = 1n; random <= 3n; random++) world.server.stream.sendPacket(dialRequest(target, random));
  await world.settle();
  assert.equal(world.dials.length, 2);
  assert.deepEqual(world.server.log, ["DIAL_RSP agent has 2 dials in flight"]);
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
