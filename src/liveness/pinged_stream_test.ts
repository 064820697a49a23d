import assert from "node:assert/strict";
import { VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";
import { packetPair, PacketRecorder } from "../../tests/support/memory/packet_pair.ts";
import { shortName } from "../../tests/support/memory/server_world.ts";
import { closeRequest, ping, pong } from "../wire/packet.ts";
import { PingedStream } from "./pinged_stream.ts";

Deno.test("a pinged stream begins with a PING, answers PING with PONG, and hands on every other packet", () => {
  const clock = new VirtualClock();
  const pair = packetPair();
  const [peer, owner] = [new PacketRecorder(shortName), new PacketRecorder(shortName)];
  pair.far.start(peer);
  const stream = new PingedStream(pair.near, clock);
  stream.start(owner);
  // As a session does that wants to know the round trip: the first one shows it.
  stream.measure();
  pair.settle();
  assert.deepEqual(peer.log, ["PING"]);
  assert.equal(stream.roundTripMs, 0);
  clock.advance(30);
  pair.far.sendPacket(pong());
  pair.far.sendPacket(pong());
  pair.far.sendPacket(ping());
  pair.far.sendPacket(closeRequest(1));
  pair.far.sendData(1, new Uint8Array(5));
  pair.settle();
  assert.equal(stream.roundTripMs, 30);
  assert.deepEqual(peer.log, ["PING", "PONG"]);
  assert.deepEqual(owner.log, ["CLOSE_REQ 1", "DATA 1 5"]);
  assert.equal(clock.pending, 0);
});

Deno.test("a PONG is the answer to the oldest PING, and the shortest round trip counts", () => {
  const clock = new VirtualClock();
  const pair = packetPair();
  pair.far.start(new PacketRecorder(shortName));
  const stream = new PingedStream(pair.near, clock);
  stream.start(new PacketRecorder(shortName));
  const answers: number[] = [];
  clock.advance(10);
  stream.measure(() => answers.push(1));
  clock.advance(20);
  for (const expected of [[], [1], [1]]) {
    pair.far.sendPacket(pong());
    pair.settle();
    assert.deepEqual(answers, expected);
  }
  assert.equal(stream.roundTripMs, 20);
});
