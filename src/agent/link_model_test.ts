import assert from "node:assert/strict";
import { throwFaults } from "../../tests/support/assert/faults.ts";
import fc from "fast-check";
import { FakeSocket, LinkWorld } from "../../tests/support/memory/link_world.ts";
import type { Feature } from "../wire/metadata.ts";
import { closeDial, closeRequest, closeWrite, dialRequest, windowCredit } from "../wire/packet.ts";

/** One thing that happens, to the tunnel of a number. */
type Step = readonly [action: (typeof actions)[number], tunnel: number, size: number];

const actions = [
  "dial",
  "answer",
  "fail",
  "client sends",
  "client closes",
  "client ends",
  "client gives up",
  "credit",
  "destination sends",
  "destination takes",
  "destination sticks",
  "destination ends",
  "destination breaks",
  "deliver",
  "time",
  "drain",
] as const;

const busy = ["client sends", "destination sends", "destination sticks", "deliver"] as const;

const steps: fc.Arbitrary<Step[]> = fc.array(
  // Bytes and slow destinations more often than the rest, or little would ever wait.
  fc.tuple(fc.constantFrom(...actions, ...busy, ...busy, ...busy), fc.nat(2), fc.integer({ min: 1, max: 40_000 })),
  { minLength: 1, maxLength: 120, size: "max" },
);

/** Bytes that tell their place in their stream. */
class Counted {
  sent = 0;

  next(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = (this.sent + at) % 251;
    this.sent += size;
    return bytes;
  }
}

/** Fails unless the pieces are a beginning of a counted stream; returns its length. */
function prefixLength(pieces: readonly Uint8Array[]): number {
  let at = 0;
  for (const piece of pieces) {
    for (const byte of piece) assert.equal(byte, at++ % 251, "bytes are lost, doubled or out of order");
  }
  return at;
}

interface Tunnel {
  readonly random: bigint;
  readonly dialIndex: number;
  /** Its dial has ended. */
  dialed: boolean;
  socket: FakeSocket | undefined;
  id: number;
  readonly up: Counted;
  readonly down: Counted;
  /** What the server may still send. */
  credit: number;
  /** The client closed or ended its direction: nothing more is sent. */
  done: boolean;
  givenUp: boolean;
  destinationDone: boolean;
}

/** Most things happen to open tunnels, so each script begins with some. */
const beginning: readonly Step[] = [["dial", 0, 1], ["answer", 0, 1], ["dial", 0, 1], ["answer", 0, 1], ["dial", 0, 1]];

async function play(features: readonly Feature[], script: readonly Step[]): Promise<void> {
  const world = new LinkWorld(features, { endpointBufferBytes: 50_000, closeGraceMs: 1_000, stallGraceMs: 500 });
  const tunnels: Tunnel[] = [];
  const windows = features.includes("window");
  const { stream } = world.server;
  for (const [action, number, size] of [...beginning, ...script]) {
    const tunnel = tunnels.at(-1 - number);
    const socket = tunnel?.socket;
    switch (action) {
      case "dial":
        tunnels.push({
          random: BigInt(tunnels.length + 1),
          dialIndex: tunnels.length,
          dialed: false,
          socket: undefined,
          id: tunnels.length + 1,
          up: new Counted(),
          down: new Counted(),
          credit: windows ? 256 * 1024 : Infinity,
          done: false,
          givenUp: false,
          destinationDone: false,
        });
        stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, BigInt(tunnels.length)));
        await world.settle();
        break;
      case "answer":
        // The dial may wait behind a link that is held back.
        if (tunnel === undefined || tunnel.dialed || world.dials[tunnel.dialIndex] === undefined) break;
        tunnel.dialed = true;
        tunnel.socket = new FakeSocket();
        world.dials[tunnel.dialIndex]?.end({ ok: true, stream: tunnel.socket });
        await world.settle();
        break;
      case "fail":
        if (tunnel === undefined || tunnel.dialed || world.dials[tunnel.dialIndex] === undefined) break;
        tunnel.dialed = true;
        world.dials[tunnel.dialIndex]?.end({ ok: false, failure: { reason: "unknown", message: "no" } });
        await world.settle();
        break;
      case "client sends":
        // A client knows its connection only when its dial was answered.
        if (tunnel === undefined || socket === undefined || tunnel.done || tunnel.credit < size) break;
        tunnel.credit -= size;
        stream.sendData(tunnel.id, tunnel.up.next(size));
        break;
      case "client closes":
        if (tunnel === undefined) break;
        tunnel.done = true;
        stream.sendPacket(closeRequest(tunnel.id));
        break;
      case "client ends":
        if (tunnel === undefined) break;
        if (features.includes("half-close")) tunnel.done = true;
        stream.sendPacket(closeWrite(tunnel.id));
        break;
      case "client gives up":
        if (tunnel === undefined) break;
        tunnel.givenUp = true;
        stream.sendPacket(closeDial(tunnel.random));
        break;
      case "credit":
        if (tunnel !== undefined && windows) stream.sendPacket(windowCredit(tunnel.id, size));
        break;
      case "destination sends":
        // A socket that is paused may still deliver what was read.
        if (tunnel === undefined || tunnel.destinationDone || socket?.handler === undefined || socket.destroyed) break;
        socket.handler.onData(tunnel.down.next(size));
        break;
      case "destination takes":
        if (socket?.destroyed === false) socket.takes();
        break;
      case "destination sticks":
        if (socket !== undefined) socket.stuck = true;
        break;
      case "destination ends":
        if (tunnel === undefined || tunnel.destinationDone || socket?.handler === undefined || socket.destroyed) break;
        tunnel.destinationDone = true;
        socket.ends();
        break;
      case "destination breaks":
        if (socket?.handler !== undefined && !socket.destroyed) socket.closes(new Error("reset"));
        break;
      case "deliver":
        world.near.highWaterBytes = size;
        stream.deliverOne();
        world.near.deliverOne();
        break;
      case "time":
        world.clock.advance(size / 40);
        break;
      case "drain":
        await world.settle();
    }
    assert.ok(world.link.tunnelCount >= 0 && world.link.queuedBytes >= 0);
  }
  await world.settle();
  for (const { id, socket } of tunnels) {
    prefixLength(world.server.data.filter((piece) => piece.id === id).map(({ payload }) => payload));
    if (socket !== undefined) prefixLength(socket.written);
  }
  await leavesNothing(world, tunnels);
}

/** However it went: once the link is lost and the destinations have taken their last bytes, nothing is left. */
async function leavesNothing(world: LinkWorld, tunnels: readonly Tunnel[]): Promise<void> {
  world.server.stream.lose(new Error("the end"));
  for (const dial of world.dials) dial.end({ ok: false, failure: { reason: "unknown", message: "canceled" } });
  await world.settle();
  for (const tunnel of tunnels) {
    const { socket } = tunnel;
    if (socket === undefined || socket.destroyed) continue;
    socket.takes();
    assert.equal(socket.ended, true, "a socket was left that has not ended");
    if (tunnel.done && !tunnel.givenUp && !tunnel.destinationDone) {
      assert.equal(socket.writtenBytes, tunnel.up.sent, "bytes that were accepted before a close are missing");
    }
    socket.closes();
  }
  assert.equal(world.link.tunnelCount, 0);
  assert.equal(world.link.pendingDials, 0);
  assert.equal(world.link.queuedBytes, 0);
  assert.equal(world.link.idle, true);
  assert.equal(world.clock.pending, 0);
  const opened = world.events.log.filter((line) => line === "dialed").length;
  const closed = world.events.log.filter((line) => line.startsWith("closed")).length;
  assert.equal(closed, opened, "each connection is reported to have ended once");
  throwFaults();
}

for (const features of [[], ["half-close"], ["window"], ["half-close", "window"]] satisfies Feature[][]) {
  const name = features.length === 0 ? "an original server" : `a server with ${features.join(" and ")}`;
  Deno.test(`[agent weak 13] whatever happens in whatever order with ${name}, no byte is lost or doubled and nothing is left`, async () => {
    await fc.assert(fc.asyncProperty(steps, (script) => play(features, script)), { numRuns: 200 });
  });
}

Deno.test("[agent 9-4] FailedSend_DialResp: a link that is lost before the dial's answer leaves no connection", async () => {
  const world = new LinkWorld();
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "a:1" }, 1n));
  await world.settle();
  world.server.stream.lose();
  const socket = new FakeSocket();
  world.dials[0]?.end({ ok: true, stream: socket });
  await world.settle();
  assert.equal(socket.destroyed, true);
  assert.deepEqual(world.server.log, []);
  assert.equal(world.link.idle, true);
});
