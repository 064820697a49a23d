import assert from "node:assert/strict";
import { channelOwner, openChannel, reader, sessionOn } from "../../tests/support/memory/channel_owner.ts";
import { FakeSocket } from "../../tests/support/memory/link_world.ts";
import { packetPair } from "../../tests/support/memory/packet_pair.ts";
import { pipe } from "./pipe.ts";

Deno.test("each of two streams is paused while the other takes no more, and goes on when it does", () => {
  const [a, b] = [new FakeSocket(), new FakeSocket()];
  pipe(a, b);
  a.says("one");
  assert.deepEqual([b.text, a.paused], ["one", false]);
  b.stuck = true;
  a.says("two");
  assert.deepEqual([b.text, a.paused, b.paused], ["onetwo", true, false]);
  b.says("answer");
  assert.equal(a.text, "answer");
  b.takes();
  assert.equal(a.paused, false);
});

Deno.test("the end of a direction goes on, and the other direction goes on with it", () => {
  const [a, b] = [new FakeSocket(), new FakeSocket()];
  pipe(a, b);
  a.ends();
  assert.deepEqual([b.ended, a.ended, b.destroyed], [true, false, false]);
  b.says("still there");
  assert.equal(a.text, "still there");
  b.ends();
  assert.equal(a.ended, true);
});

Deno.test("a stream that is gone takes the other with it, and gives it its reason", () => {
  const [a, b] = [new FakeSocket(), new FakeSocket()];
  const reasons: unknown[] = [];
  b.destroy = (error?: Error) => void reasons.push(error?.message);
  pipe(a, b);
  a.closes(new Error("reset"));
  assert.deepEqual(reasons, ["reset"]);
});

/** A channel of a link without windows, piped to a socket. */
function piped() {
  const socket = new FakeSocket();
  let taken = 0;
  const session = sessionOn(packetPair().near);
  const channel = session.open(1, channelOwner());
  const held = () => channel.heldBytes;
  const deliver = (bytes: Uint8Array) => {
    channel.deliver(bytes);
    taken += bytes.length;
  };
  pipe(channel, socket);
  return { socket, channel, held, deliver, taken: () => taken - held() };
}

Deno.test("a destination that takes everything is written to at once, without a copy", () => {
  const { socket, deliver, held, taken } = piped();
  const payload = new Uint8Array(10);
  deliver(payload);
  assert.equal(socket.written[0], payload);
  assert.deepEqual([taken(), held()], [10, 0]);
});

Deno.test("bytes for a destination that is full wait here, in order, and go on piece by piece as it takes them", () => {
  const { socket, deliver, held, taken } = piped();
  socket.stuck = true;
  for (let piece = 0; piece < 5; piece++) deliver(new Uint8Array(10_000).fill(piece));
  assert.equal(socket.writtenBytes, 10_000);
  assert.deepEqual([taken(), held()], [0, 50_000]);
  socket.takesSome();
  assert.deepEqual([taken(), socket.writtenBytes], [10_000, 20_000]);
  socket.takes();
  assert.deepEqual([taken(), held()], [50_000, 0]);
  assert.deepEqual(socket.written.map((bytes) => bytes[0]), [0, 1, 2, 3, 4]);
});

Deno.test("where the link gathers, what waited for a full stream goes on at once when that takes bytes again, and is held", () => {
  const socket = new FakeSocket();
  const channel = sessionOn(packetPair().near, { gathers: true }).open(1, channelOwner());
  pipe(channel, socket);
  socket.stuck = true;
  for (let piece = 0; piece < 5; piece++) channel.deliver(new Uint8Array(10_000).fill(piece));
  assert.deepEqual([socket.writtenBytes, channel.heldBytes], [10_000, 50_000]);
  socket.takesSome();
  assert.deepEqual([socket.writtenBytes, channel.heldBytes], [50_000, 40_000]);
  socket.takes();
  assert.equal(channel.heldBytes, 0);
  assert.deepEqual(socket.written.map((bytes) => bytes[0]), [0, 1, 2, 3, 4]);
});

Deno.test("whatever a stream does while it is handed bytes, each of them counts as taken once", () => {
  for (const gathers of [{}, { gathers: true } as const]) {
    const { near } = packetPair();
    const channel = sessionOn(near, gathers).open(1, channelOwner());
    const acts = [() => channel.pause(), () => channel.resume(), () => channel.pause(), () => channel.closed()];
    let handed = 0;
    const onData = ({ length }: Uint8Array) => {
      handed += length;
      acts.shift()?.();
      assert.ok(channel.heldBytes >= 0);
    };
    channel.deliver(new Uint8Array(5000));
    for (let piece = 0; piece < 3; piece++) channel.deliver(new Uint8Array(6000));
    channel.start(reader({ onData }));
    channel.resume();
    channel.resume();
    channel.deliver(new Uint8Array(7000));
    channel.closed();
    assert.deepEqual([channel.heldBytes, handed >= 23_000], [0, true]);
  }
});

Deno.test("small pieces are gathered while they wait, so that a million bytes one by one cost a million bytes", () => {
  const { socket, deliver, held } = piped();
  socket.stuck = true;
  const all = new Uint8Array(100_000);
  for (let at = 0; at < all.length; at++) all[at] = at % 251;
  for (let at = 0; at < all.length; at++) deliver(all.subarray(at, at + 1));
  assert.equal(held(), all.length);
  socket.takes();
  assert.ok(socket.written.length < 20, `${socket.written.length} writes`);
  assert.deepEqual(new Uint8Array(socket.written.flatMap((bytes) => [...bytes])), all);
});

Deno.test("the end of a direction waits for the bytes before it", () => {
  const { socket, channel, deliver } = piped();
  socket.stuck = true;
  deliver(new Uint8Array(5));
  deliver(new Uint8Array(5));
  channel.peerEnded();
  assert.equal(socket.ended, false);
  channel.deliver(new Uint8Array(5));
  socket.takesSome();
  assert.equal(socket.ended, true);
  assert.equal(socket.writtenBytes, 10);
});

Deno.test("a channel hands on all that it holds at the tunnel's end, and then the end; what comes behind it is dropped", () => {
  const session = sessionOn(packetPair().near);
  const seen: string[] = [];
  const channel = openChannel(session, 1, {}, {
    onData: ({ length }) => void seen.push(`${length} bytes`),
    onClose: (error) => void seen.push(`closed: ${error?.message}`),
  });
  channel.pause();
  channel.deliver(new Uint8Array(5000));
  channel.deliver(new Uint8Array(6000));
  assert.deepEqual([seen, channel.heldBytes], [[], 11_000]);
  channel.closed(new Error("link lost"));
  channel.deliver(new Uint8Array(1));
  assert.deepEqual(seen, ["5000 bytes", "6000 bytes", "closed: link lost"]);
  assert.equal(channel.heldBytes, 0);
});

Deno.test("a channel that nobody reads yet keeps what comes, and the tunnel's end, for whoever begins", () => {
  const session = sessionOn(packetPair().near);
  const channel = session.open(1, channelOwner());
  channel.deliver(new Uint8Array(3));
  channel.closed();
  const socket = new FakeSocket();
  pipe(channel, socket);
  assert.deepEqual([socket.writtenBytes, socket.destroyed], [3, true]);
});

Deno.test("what a reader that is gone has not taken is dropped, and counts as taken", () => {
  const session = sessionOn(packetPair().near, { stallLimits: { heldBytes: 10, graceMs: 1000 } });
  const channel = openChannel(session, 1);
  channel.pause();
  channel.deliver(new Uint8Array(10));
  assert.equal(session.stalls.stalled, true);
  channel.discard();
  assert.deepEqual([channel.heldBytes, session.stalls.stalled], [0, false]);
  channel.pause();
  channel.deliver(new Uint8Array(10));
  assert.deepEqual([channel.heldBytes, session.stalls.stalled], [0, false]);
});
