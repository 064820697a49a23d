import assert from "node:assert/strict";
import { channelOwner, openChannel, reader } from "../../tests/support/memory/channel_owner.ts";
import { linkedSession } from "../../tests/support/memory/linked_session.ts";
import type { ByteStreamHandler } from "../streams/byte_stream.ts";
import { closeResponse } from "../wire/packet.ts";
import type { Channel } from "./channel.ts";
import type { ChannelOwner } from "./channel_owner.ts";
import { flowLimits } from "./flow_limits.ts";
import type { SessionOptions } from "./session.ts";

const kib = 1024;
const { initialWindowBytes, maxDataBytes } = flowLimits;

/** A session on a link whose other end the test plays, and a clock that stands still. */
function linked(options: Partial<SessionOptions> = {}) {
  const clock = { ms: 100 };
  const { pair, peer, session } = linkedSession({ now: () => clock.ms, ...options });
  /** The link takes no more until what it has is delivered. */
  const block = () => {
    pair.near.highWaterBytes = 1;
    session.open(99, channelOwner()).write(new Uint8Array(1));
    assert.equal(session.scheduler.open, false);
  };
  return { clock, pair, peer, session, block };
}

/** A reader that notes what it is told; it pauses after each piece where the test says so. */
class Notes implements ByteStreamHandler {
  readonly told: string[] = [];
  channel: Channel<ChannelOwner> | undefined;
  pauses = false;

  onData({ length }: Uint8Array): void {
    this.told.push(`${length}`);
    if (this.pauses) this.channel?.pause();
  }

  onDrain(): void {
    this.told.push("drain");
  }

  onEnd(): void {
    this.told.push("end");
  }

  onClose(error: Error | undefined): void {
    this.told.push(`close ${error?.message ?? "in order"}`);
  }
}

Deno.test("what comes before there is a reader is kept for it, and counted", () => {
  let first = 0;
  const { session } = linked();
  const channel = session.open(1, channelOwner({ firstReceived: () => void first++ }));
  assert.deepEqual(channel.bytes, { sent: 0, received: 0 });
  channel.deliver(new Uint8Array(5000));
  channel.resume();
  channel.deliver(new Uint8Array(6000));
  assert.deepEqual([channel.heldBytes, first], [11_000, 1]);
  const notes = new Notes();
  channel.start(notes);
  assert.deepEqual([notes.told, channel.heldBytes], [["5000", "6000"], 0]);
  channel.write(new Uint8Array(7));
  assert.deepEqual(channel.bytes, { sent: 7, received: 11_000 });
});

Deno.test("a channel that has closed before there is a reader tells it all at once", () => {
  const { session } = linked();
  const channel = session.open(1, channelOwner());
  channel.deliver(new Uint8Array(5000));
  channel.closed(new Error("gone"));
  channel.closed(new Error("again"));
  const notes = new Notes();
  channel.start(notes);
  assert.deepEqual(notes.told, ["5000", "close gone"]);
});

Deno.test("a reader that pauses at each piece gets one at a time, and what it was given counts once it goes on", () => {
  const { session, clock } = linked();
  const waited: number[] = [];
  const notes = new Notes();
  const channel = session.open(1, channelOwner({ taken: (ms) => void waited.push(ms) }));
  notes.channel = channel;
  notes.pauses = true;
  channel.start(notes);
  channel.deliver(new Uint8Array(5000));
  assert.deepEqual([notes.told, channel.heldBytes, waited], [["5000"], 5000, []]);
  clock.ms += 10;
  channel.deliver(new Uint8Array(6000));
  channel.deliver(new Uint8Array(7000));
  clock.ms += 30;
  channel.resume();
  assert.deepEqual([notes.told.splice(0), channel.heldBytes, waited], [["5000", "6000"], 13_000, [40]]);
  clock.ms += 5;
  channel.resume();
  assert.deepEqual([notes.told.splice(0), channel.heldBytes, waited], [["7000"], 7000, [40, 5]]);
  notes.pauses = false;
  channel.resume();
  channel.pause();
  channel.resume();
  assert.deepEqual([notes.told, channel.heldBytes, waited], [[], 0, [40, 5, 0]]);
  clock.ms += 100;
  channel.deliver(new Uint8Array(1));
  assert.deepEqual([channel.heldBytes, waited.at(-1)], [0, 0]);
  channel.pause();
  clock.ms += 100;
  channel.deliver(new Uint8Array(1));
  clock.ms += 7;
  channel.resume();
  assert.equal(waited.at(-1), 7, "since it came, not since the last one");
});

Deno.test("a session that gathers hands all on at once, and counts it once the reader goes on", () => {
  const { session } = linked({ gathers: true });
  const notes = new Notes();
  const channel = session.open(1, channelOwner());
  notes.channel = channel;
  notes.pauses = true;
  channel.deliver(new Uint8Array(5000));
  channel.deliver(new Uint8Array(6000));
  channel.start(notes);
  assert.deepEqual([notes.told, channel.heldBytes], [["5000", "6000"], 11_000]);
  channel.resume();
  assert.equal(channel.heldBytes, 0);
});

Deno.test("a reader that asks to go on although it does is handed nothing within what it is handed", () => {
  const { session } = linked();
  const channel = session.open(1, channelOwner());
  channel.deliver(new Uint8Array(5000));
  channel.deliver(new Uint8Array(5000));
  const depths: number[] = [];
  let depth = 0;
  const onData = () => {
    depths.push(++depth);
    channel.resume();
    depth--;
  };
  channel.start(reader({ onData }));
  assert.deepEqual(depths, [1, 1]);
});

Deno.test("the peer's end comes behind its last byte, once, and what comes behind it is nobody's", () => {
  const { session } = linked();
  const notes = new Notes();
  const channel = session.open(1, channelOwner());
  channel.start(notes);
  channel.pause();
  channel.deliver(new Uint8Array(5000));
  channel.peerEnded();
  channel.peerEnded();
  channel.deliver(new Uint8Array(1));
  assert.deepEqual([notes.told, channel.bytes.received], [[], 5000]);
  channel.resume();
  assert.deepEqual(notes.told.splice(0), ["5000", "end"]);
  channel.deliver(new Uint8Array(1));
  channel.peerEnded();
  channel.pause();
  channel.resume();
  assert.deepEqual([notes.told, channel.bytes.received], [[], 5000]);
  const other = session.open(2, channelOwner());
  other.peerEnded();
  other.start(notes);
  assert.deepEqual(notes.told, ["end"]);
});

Deno.test("a channel that closes hands on what it holds, and what comes later counts as taken", () => {
  const { session, pair, peer } = linked();
  const notes = new Notes();
  const channel = session.open(1, channelOwner());
  channel.start(notes);
  channel.pause();
  channel.deliver(new Uint8Array(5000));
  channel.closed();
  assert.deepEqual([notes.told, channel.heldBytes], [["5000", "close in order"], 0]);
  channel.pause();
  channel.deliver(new Uint8Array(initialWindowBytes / 2 - 5000));
  pair.settle();
  assert.deepEqual([notes.told.length, channel.heldBytes, peer.log], [2, 0, ["WINDOW 1"]]);
});

Deno.test("a reader that is gone takes nothing any more, and its peer gets credit for it", () => {
  const { session, pair, peer } = linked();
  const notes = new Notes();
  const waited: number[] = [];
  const channel = session.open(1, channelOwner({ taken: (ms) => void waited.push(ms) }));
  channel.start(notes);
  channel.pause();
  channel.deliver(new Uint8Array(initialWindowBytes / 2));
  channel.discard();
  channel.deliver(new Uint8Array(10));
  pair.settle();
  assert.deepEqual([notes.told, channel.heldBytes, peer.log, waited], [[], 0, ["WINDOW 1"], [0, 0]]);
  channel.peerEnded();
  channel.closed();
  assert.deepEqual(notes.told, ["close in order"]);
});

Deno.test("a writer goes on as long as credit is left and the link takes more", () => {
  const { session, pair, block } = linked();
  const notes = new Notes();
  const exact = session.open(1, channelOwner());
  exact.start(notes);
  for (let at = 0; at < 3; at++) assert.equal(exact.write(new Uint8Array(maxDataBytes)), true);
  assert.equal(exact.write(new Uint8Array(maxDataBytes - 1)), true, "a byte is left");
  assert.equal(exact.write(new Uint8Array(1)), false);
  assert.equal(exact.queuedBytes, 0);
  assert.deepEqual(notes.told.splice(0), []);
  exact.granted(10);
  assert.deepEqual(notes.told, ["drain"]);
  const whole = openChannel(session, 2);
  assert.equal(whole.write(new Uint8Array(initialWindowBytes)), false);
  assert.equal(whole.queuedBytes, 0);
  pair.settle();
  block();
  const blocked = openChannel(session, 3);
  assert.equal(blocked.write(new Uint8Array(maxDataBytes)), false);
  assert.equal(blocked.queuedBytes, maxDataBytes);
});

Deno.test("a writer that fills the link with a large payload waits, and is called once the link takes more", () => {
  const { session, pair } = linked();
  const notes = new Notes();
  const channel = session.open(1, channelOwner());
  channel.start(notes);
  pair.near.highWaterBytes = 100 * kib;
  assert.equal(channel.write(new Uint8Array(100 * kib)), false);
  assert.deepEqual([channel.queuedBytes, notes.told], [0, []]);
  pair.settle();
  assert.deepEqual(notes.told, ["drain"]);
});

Deno.test("a turn ends where the link takes no more", () => {
  const { session, pair, block } = linked();
  const channel = openChannel(session, 1);
  block();
  for (let at = 0; at < 2; at++) channel.write(new Uint8Array(10 * kib));
  pair.near.deliverOne();
  assert.equal(channel.queuedBytes, 10 * kib);
});

Deno.test("a blocked link takes one small payload of each channel ahead, whatever it sent before", () => {
  const { session, pair, peer, block } = linked();
  const channel = openChannel(session, 1);
  assert.equal(channel.write(new Uint8Array(10)), true);
  pair.settle();
  block();
  const large = openChannel(session, 2);
  large.write(new Uint8Array(10 * kib));
  assert.equal(channel.write(new Uint8Array(11)), true);
  assert.equal(channel.queuedBytes, 0);
  assert.equal(channel.write(new Uint8Array(12)), false, "not the next one");
  assert.equal(channel.queuedBytes, 12);
  pair.settle();
  assert.equal(peer.text(1).length, 33);
});

Deno.test("credit is taken from one byte on up to what can be counted, and unbounded where there are no windows", () => {
  const { session } = linked();
  const channel = session.open(1, channelOwner());
  assert.equal(channel.granted(1), true);
  assert.equal(channel.granted(Number.MAX_SAFE_INTEGER - initialWindowBytes - 1), true);
  assert.equal(channel.granted(1), false);
  const plain = linked({ windows: false }).session.open(1, channelOwner());
  assert.deepEqual([plain.granted(5), plain.granted(0), plain.granted(-1)], [true, false, false]);
});

Deno.test("credit is given back after a quiet time only, never more than was added, nor while bytes wait", () => {
  const { session, pair, peer, block } = linked({ returns: true });
  const given = () => {
    pair.settle();
    return peer.packets.splice(0).flatMap(({ payload }) => payload.case === "window" ? [payload.value.bytes] : []);
  };
  const channel = session.open(1, channelOwner());
  channel.granted(10);
  assert.equal(channel.giveBack(), true, "it begins to be quiet");
  assert.equal(channel.giveBack(), false);
  assert.deepEqual(given(), [-10n]);
  assert.equal(channel.giveBack(), false);
  assert.deepEqual(given(), [], "nothing is left");
  channel.granted(1);
  assert.equal(channel.giveBack(), false);
  assert.deepEqual(given(), [-1n]);
  channel.granted(20);
  channel.write(new Uint8Array(1));
  assert.equal(channel.giveBack(), true, "it has sent something");
  block();
  assert.equal(channel.write(new Uint8Array(1)), true);
  assert.equal(channel.write(new Uint8Array(1)), false);
  channel.giveBack();
  assert.equal(channel.giveBack(), true, "a byte waits");
  channel.drop();
  assert.equal(channel.giveBack(), false);
  assert.deepEqual(given(), []);
});

Deno.test("what a channel drops is never sent, and only a last packet goes out", () => {
  const { session, pair, peer, block } = linked();
  let discarded = 0;
  const owner = channelOwner({
    discarded: (length) => {
      discarded += length;
      return true;
    },
  });
  const channel = session.open(1, owner);
  block();
  channel.write(new Uint8Array(10 * kib));
  channel.drop(closeResponse(1));
  assert.equal(channel.queuedBytes, 0);
  assert.equal(channel.write(new Uint8Array(7)), true);
  assert.deepEqual([discarded, channel.bytes.sent], [7, 10 * kib]);
  channel.granted(10);
  pair.settle();
  assert.deepEqual([peer.text(1), peer.log.filter((line) => line.startsWith("CLOSE"))], ["", ["CLOSE_RSP 1"]]);
});

Deno.test("a later last packet takes the place of one that waits, and follows one that was sent", () => {
  const { session, pair, peer, block } = linked();
  const channel = session.open(1, channelOwner());
  block();
  channel.write(new Uint8Array(1));
  channel.write(new Uint8Array(1));
  channel.finish(closeResponse(1, "first"));
  channel.finish(closeResponse(1, "second"));
  pair.settle();
  channel.finish(closeResponse(1, "third"));
  pair.settle();
  const sent = peer.log.filter((line) => line !== "DATA 99 1");
  assert.deepEqual(sent, ["DATA 1 1", "DATA 1 1", "CLOSE_RSP 1 second", "CLOSE_RSP 1 third"]);
  assert.equal(session.scheduler.waitingCount, 0);
});
