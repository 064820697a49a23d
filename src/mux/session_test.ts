import assert from "node:assert/strict";
import { expectFaults } from "../../tests/support/assert/faults.ts";
import { VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";
import { channelOwner, openChannel, sessionOn } from "../../tests/support/memory/channel_owner.ts";
import { linkedSession } from "../../tests/support/memory/linked_session.ts";
import { packetPair, PacketRecorder } from "../../tests/support/memory/packet_pair.ts";
import { shortName } from "../../tests/support/memory/server_world.ts";
import { closeResponse } from "../wire/packet.ts";
import { flowLimits } from "./flow_limits.ts";

const kib = 1024;
const { initialWindowBytes } = flowLimits;

Deno.test("a channel sends what its credit allows, and goes on when the peer returns some", () => {
  const { pair, peer, session } = linkedSession();
  let writable = 0;
  const channel = openChannel(session, 1, {}, { onDrain: () => void writable++ });
  assert.equal(channel.write(new Uint8Array(initialWindowBytes - 10)), true);
  assert.equal(channel.write(new Uint8Array(30)), false);
  pair.settle();
  assert.equal(channel.queuedBytes, 20);
  assert.equal(channel.granted(15), true);
  pair.settle();
  assert.deepEqual([channel.queuedBytes, writable], [5, 0]);
  assert.equal(channel.granted(initialWindowBytes), true);
  pair.settle();
  assert.deepEqual([channel.queuedBytes, writable], [0, 1]);
  assert.equal(peer.text(1).length, initialWindowBytes + 20);
});

Deno.test("credit that no peer can have is refused", () => {
  const channel = linkedSession().session.open(1, channelOwner());
  for (const bytes of [0, -1, NaN, Number.MAX_SAFE_INTEGER]) assert.equal(channel.granted(bytes), false, String(bytes));
});

Deno.test("consumed bytes return credit in portions of half a window, held ones return none, more than the window is refused", () => {
  const { pair, peer, session } = linkedSession();
  const violations: string[] = [];
  const channel = openChannel(session, 7, { violated: (what) => void violations.push(what) });
  channel.deliver(new Uint8Array(initialWindowBytes / 2 - 1));
  pair.settle();
  assert.deepEqual(peer.log, []);
  channel.deliver(new Uint8Array(1));
  pair.settle();
  assert.deepEqual(peer.log, ["WINDOW 7"]);
  channel.pause();
  channel.deliver(new Uint8Array(initialWindowBytes));
  pair.settle();
  assert.deepEqual([peer.log.length, channel.heldBytes], [1, initialWindowBytes]);
  assert.deepEqual(violations, []);
  channel.deliver(new Uint8Array(1));
  assert.deepEqual(violations, ["sent more than the tunnel's window"]);
  channel.resume();
  pair.settle();
  assert.deepEqual([peer.log, channel.heldBytes], [["WINDOW 7", "WINDOW 7"], 0]);
});

Deno.test("the last packet of a channel goes out behind its data, and behind nobody else's", () => {
  const { pair, peer, session } = linkedSession();
  const [stuck, done] = [session.open(1, channelOwner()), session.open(2, channelOwner())];
  stuck.write(new Uint8Array(initialWindowBytes + kib));
  stuck.finish(closeResponse(1));
  done.write(new Uint8Array(kib));
  done.finish(closeResponse(2));
  pair.settle();
  assert.equal(peer.log.at(-1), "CLOSE_RSP 2");
  assert.ok(!peer.log.includes("CLOSE_RSP 1"));
  stuck.granted(kib);
  pair.settle();
  assert.equal(peer.log.at(-1), "CLOSE_RSP 1");
  stuck.drop();
  stuck.finish(closeResponse(1));
  pair.settle();
  assert.equal(peer.log.filter((line) => line === "CLOSE_RSP 1").length, 1);
});

Deno.test("an unknown connection is answered once, however many packets come for it, and again after another has opened", () => {
  const { pair, peer, session } = linkedSession();
  for (let i = 0; i < 3; i++) pair.far.sendData(5, new Uint8Array(1));
  pair.far.sendData(0, new Uint8Array(1));
  pair.settle();
  assert.deepEqual(peer.log, ["CLOSE_REQ 5"]);
  session.open(1, channelOwner());
  session.forget(1);
  pair.far.sendData(5, new Uint8Array(1));
  pair.settle();
  assert.deepEqual(peer.log, ["CLOSE_REQ 5", "CLOSE_REQ 5"]);
});

Deno.test("an owner that throws at its data ends, and its neighbours get theirs", () => {
  using faults = expectFaults();
  const { pair, session } = linkedSession();
  let ended = 0;
  let delivered = 0;
  const broken = () => {
    throw new Error("broken owner");
  };
  openChannel(session, 1, { faulted: () => void ended++ }, { onData: broken });
  openChannel(session, 2, {}, { onData: ({ length }) => void (delivered += length) });
  pair.far.sendData(1, new Uint8Array(1));
  pair.far.sendData(2, new Uint8Array(3));
  pair.settle();
  assert.deepEqual([ended, delivered, faults.seen.length], [1, 3, 1]);
});

Deno.test("on a link without windows nothing is credited, and a channel that is over stalls nobody", () => {
  const pair = packetPair();
  const peer = new PacketRecorder(shortName);
  pair.far.start(peer);
  const session = sessionOn(pair.near, { stallLimits: { heldBytes: kib, graceMs: 1000 } });
  const channel = openChannel(session, 1);
  assert.equal(channel.windowed, false);
  channel.deliver(new Uint8Array(64 * kib));
  channel.pause();
  channel.deliver(new Uint8Array(kib - 1));
  assert.deepEqual([session.stalls.stalled, pair.near.paused], [false, false]);
  channel.deliver(new Uint8Array(1));
  assert.deepEqual([session.stalls.stalled, pair.near.paused], [true, true]);
  channel.release();
  assert.deepEqual([session.stalls.stalled, pair.near.paused], [false, false]);
  channel.deliver(new Uint8Array(kib));
  assert.equal(session.stalls.stalled, false);
  channel.resume();
  pair.settle();
  assert.deepEqual(peer.log, []);
});

/** A session that gives back what its channels do not use, with a clock that the test turns. */
function quietSession(returns: boolean) {
  const clock = new VirtualClock();
  const pair = packetPair();
  const peer = new PacketRecorder(shortName);
  pair.far.start(peer);
  const session = sessionOn(pair.near, { windows: true, returns, after: clock.after });
  const returned = () =>
    peer.packets.flatMap(({ payload }) => payload.case === "window" ? [Number(payload.value.bytes)] : []);
  return { clock, pair, session, returned };
}

Deno.test("a channel that sends nothing gives the credit back by which it has grown, and one that sends does not", () => {
  const { clock, pair, session, returned } = quietSession(true);
  const quiet = session.open(1, channelOwner());
  const busy = session.open(2, channelOwner());
  const small = session.open(3, channelOwner());
  assert.ok(quiet.granted(3 * initialWindowBytes));
  assert.ok(busy.granted(3 * initialWindowBytes));
  small.write(new Uint8Array(10));
  assert.ok(small.granted(10));
  quiet.write(new Uint8Array(kib));
  for (let ms = 0; ms < 6000; ms += 500) {
    clock.advance(500);
    busy.write(new Uint8Array(1));
  }
  pair.settle();
  assert.deepEqual(returned(), [-(3 * initialWindowBytes - kib)]);
  // What it began with it still has.
  assert.equal(quiet.write(new Uint8Array(initialWindowBytes - 1)), true);
  assert.equal(quiet.write(new Uint8Array(2)), false);
  for (const channel of [quiet, busy, small]) channel.release();
  assert.equal(clock.pending, 0);
});

Deno.test("a peer that takes nothing back is given nothing back", () => {
  const { clock, pair, session, returned } = quietSession(false);
  const channel = session.open(1, channelOwner());
  assert.ok(channel.granted(3 * initialWindowBytes));
  assert.equal(clock.pending, 0);
  clock.advance(60_000);
  pair.settle();
  assert.deepEqual(returned(), []);
});

Deno.test("a channel whose bytes wait for its link keeps its credit, and one that is dropped gives back nothing", () => {
  const { clock, pair, session, returned } = quietSession(true);
  const [waiting, dropped] = [session.open(1, channelOwner()), session.open(2, channelOwner())];
  assert.ok(waiting.granted(3 * initialWindowBytes));
  assert.ok(dropped.granted(3 * initialWindowBytes));
  pair.near.highWaterBytes = 1;
  waiting.write(new Uint8Array(10));
  waiting.write(new Uint8Array(100 * kib));
  assert.ok(waiting.queuedBytes > 0);
  dropped.drop();
  clock.advance(60_000);
  assert.deepEqual(returned(), []);
  waiting.drop();
  assert.equal(clock.pending, 0);
  pair.settle();
  assert.deepEqual(returned(), []);
});

Deno.test("a channel takes back no more than its peer can have", () => {
  const { session } = linkedSession();
  const channel = session.open(1, channelOwner());
  assert.equal(channel.granted(-1), false);
});
