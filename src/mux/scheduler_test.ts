import assert from "node:assert/strict";
import { expectFaults } from "../../tests/support/assert/faults.ts";
import { VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";
import { channelOwner, openChannel } from "../../tests/support/memory/channel_owner.ts";
import { linkedSession } from "../../tests/support/memory/linked_session.ts";
import { GrowthBudget } from "../streams/growth_budget.ts";
import { closeRequest, closeResponse } from "../wire/packet.ts";
import { flowLimits } from "./flow_limits.ts";
import type { SessionOptions } from "./session.ts";

const kib = 1024;
const { initialWindowBytes, maxDataBytes, smallPayloadBytes } = flowLimits;

/** A session on a link that the test blocks, and whose other end notes what comes. */
function linked(options: Partial<SessionOptions> = {}) {
  const { pair, peer, session } = linkedSession(options);
  let blocker = 1000;
  const block = () => {
    pair.near.highWaterBytes = 1;
    session.open(blocker++, channelOwner()).write(new Uint8Array(1));
  };
  const unblock = () => {
    pair.near.highWaterBytes = Infinity;
    pair.settle();
  };
  return { pair, peer, session, block, unblock };
}

Deno.test("channels take turns of 64 KiB, to their last byte of data and of credit", () => {
  const { session, peer, block, unblock } = linked();
  const channels = [1, 2].map((id) => openChannel(session, id));
  const last = openChannel(session, 3);
  last.write(new Uint8Array(3 * maxDataBytes - 1));
  unblock();
  peer.log.length = 0;
  block();
  for (const channel of channels) channel.write(new Uint8Array(maxDataBytes + 1));
  last.write(new Uint8Array(maxDataBytes + 2));
  unblock();
  const turns = [1, 2, 3].map((id) => `DATA ${id} ${maxDataBytes}`);
  assert.deepEqual(peer.log.slice(1), [...turns, "DATA 1 1", "DATA 2 1", "DATA 3 1"]);
  assert.equal(last.queuedBytes, 1, "it has no more credit");
});

Deno.test("a writer that has used its credit up goes on with the next byte of it, and not before", () => {
  const { session, block, unblock } = linked();
  let drains = 0;
  const channel = openChannel(session, 1, {}, { onDrain: () => void drains++ });
  block();
  channel.write(new Uint8Array(initialWindowBytes));
  unblock();
  assert.deepEqual([channel.queuedBytes, drains], [0, 0]);
  channel.granted(1);
  assert.equal(drains, 1);
});

Deno.test("a byte that waits for the link with the last byte of credit is sent", () => {
  const { session, block, unblock } = linked();
  const channel = openChannel(session, 1);
  channel.write(new Uint8Array(initialWindowBytes - 2));
  block();
  assert.equal(channel.write(new Uint8Array(1)), true, "ahead of others");
  assert.equal(channel.write(new Uint8Array(1)), false);
  unblock();
  assert.equal(channel.queuedBytes, 0);
});

Deno.test("a last packet waits for the last byte before it, and is sent once", () => {
  const { session, pair, peer, block, unblock } = linked();
  const told: string[] = [];
  const channel = openChannel(session, 1, {}, { onDrain: () => told.push("drain") });
  block();
  channel.write(new Uint8Array(initialWindowBytes + 1));
  channel.finish(closeResponse(1));
  unblock();
  assert.equal(channel.queuedBytes, 1);
  assert.ok(!peer.log.includes("CLOSE_RSP 1"));
  channel.granted(1);
  channel.granted(10);
  pair.settle();
  assert.deepEqual([peer.log.slice(-2), told], [["DATA 1 1", "CLOSE_RSP 1"], []]);
});

Deno.test("each time that a link is blocked it takes small payloads of 64 KiB ahead of others, one of a channel", () => {
  const { session, block, unblock } = linked();
  const channels = Array.from({ length: 17 }, (_, at) => openChannel(session, at + 1));
  for (let round = 0; round < 2; round++) {
    block();
    const ahead = channels.map((channel) => channel.write(new Uint8Array(smallPayloadBytes)));
    assert.deepEqual(ahead, [...Array(16).fill(true), false]);
    unblock();
  }
});

Deno.test("a control packet that fills the link has data wait", () => {
  const { session, pair } = linked();
  pair.near.highWaterBytes = 1;
  pair.near.sendData(9, new Uint8Array(1));
  assert.equal(session.scheduler.open, true);
  session.sendPacket(closeRequest(1));
  assert.equal(session.scheduler.open, false);
});

Deno.test("a channel that is given credit while another has its turn has its own behind that", () => {
  const { session } = linked();
  const told: string[] = [];
  const second = openChannel(session, 2, {}, { onDrain: () => told.push("second") });
  const onDrain = () => {
    told.push("first begins");
    second.granted(1);
    told.push("first ends");
  };
  const first = openChannel(session, 1, {}, { onDrain });
  for (const channel of [first, second]) channel.write(new Uint8Array(initialWindowBytes));
  first.granted(1);
  assert.deepEqual(told, ["first begins", "first ends", "second"]);
});

Deno.test("an owner that throws in its turn ends, and the others have theirs", () => {
  using faults = expectFaults();
  const { session, block, unblock } = linked();
  const told: string[] = [];
  const broken = () => {
    throw new Error("broken");
  };
  const first = openChannel(session, 1, { faulted: ({ message }) => told.push(message) }, { onDrain: broken });
  const second = openChannel(session, 2, {}, { onDrain: () => told.push("drain") });
  block();
  for (const channel of [first, second]) channel.write(new Uint8Array(10 * kib));
  unblock();
  assert.deepEqual([told, faults.seen.length], [["broken", "drain"], 1]);
});

Deno.test("a byte is held before an end, and a byte of credit is given", () => {
  const { session, pair, peer } = linked({ growth: new GrowthBudget(0) });
  const told: string[] = [];
  const channel = openChannel(session, 1, {}, { onData: () => told.push("data"), onEnd: () => told.push("end") });
  channel.deliver(new Uint8Array(initialWindowBytes - 1));
  channel.deliver(new Uint8Array(1));
  pair.settle();
  assert.deepEqual(peer.packets.map(({ payload }) => payload.case === "window" && payload.value.bytes), [
    BigInt(initialWindowBytes - 1),
    1n,
  ]);
  told.length = 0;
  channel.pause();
  channel.deliver(new Uint8Array(1));
  channel.peerEnded();
  assert.deepEqual(told, []);
  channel.resume();
  assert.deepEqual(told, ["data", "end"]);
});

Deno.test("a session asks for the round trip where windows need it", () => {
  for (const windows of [true, false]) {
    const { session, pair } = linked({ windows });
    let measured = 0;
    pair.near.measure = () => void measured++;
    session.start();
    assert.equal(measured, windows ? 1 : 0);
  }
});

Deno.test("a channel is quiet after two seconds without data, and gives back two seconds later", () => {
  const clock = new VirtualClock();
  const { session, pair, peer } = linked({ returns: true, after: clock.after });
  session.open(1, channelOwner()).granted(10);
  const log = (ms: number) => {
    clock.advance(ms);
    pair.settle();
    return peer.log.length;
  };
  assert.deepEqual([log(3_999), log(1)], [0, 1]);
});

Deno.test("a connection with the number one is as unknown as any other, also behind a channel that opened", () => {
  const { session, pair, peer } = linked();
  session.open(2, channelOwner());
  session.deliver(1, new Uint8Array(1));
  pair.settle();
  assert.deepEqual(peer.log, ["CLOSE_REQ 1"]);
});
