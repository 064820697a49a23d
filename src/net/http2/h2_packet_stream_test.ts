import assert from "node:assert/strict";
import { codeOf, H2Peer, headers } from "../../../tests/support/memory/h2_peer.ts";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { windowUpdateFrame } from "../../h2/frames/control_frames.ts";
import { frameType, h2Code } from "../../h2/frames/frame.ts";
import type { StreamEnd } from "../../streams/packet_stream.ts";
import { H2PacketStream } from "./h2_packet_stream.ts";

const kib = 1024;

/** A call whose client opens its window when the test says so, and the stream that serves it. */
function call() {
  const clock = new VirtualClock();
  let stream: H2PacketStream | undefined;
  const ends: StreamEnd[] = [];
  const peer = H2Peer.begun((request) => {
    stream = new H2PacketStream(request.stream, {}, undefined, clock);
    stream.start({
      onData: () => {},
      onPacket: () => {},
      onDrain: () => {},
      onEnd: () => {},
      onClose: (end) => ends.push(end),
    });
  });
  peer.push(headers(1));
  peer.sent();
  return { clock, peer, stream: stream ?? assert.fail(), ends };
}

Deno.test("a client that reads slowly gets the last bytes of an ended stream, however long it takes", () => {
  const { clock, peer, stream } = call();
  const bytes = 256 * kib;
  for (let sent = 0; sent < bytes; sent += 32 * kib) stream.sendData(1, new Uint8Array(32 * kib));
  stream.end();
  let arrived = 0;
  let trailers = false;
  for (let seconds = 0; seconds < 600 && !trailers; seconds += 20) {
    peer.settle();
    for (const { type, payload } of peer.sent()) {
      assert.notEqual(type, frameType.rstStream);
      if (type === frameType.data) arrived += payload.length;
      if (type === frameType.headers) trailers = true;
    }
    clock.advance(20_000);
    peer.push(windowUpdateFrame(0, 16 * kib), windowUpdateFrame(1, 16 * kib));
  }
  assert.ok(arrived > bytes, String(arrived));
  assert.ok(trailers, "the status came behind the bytes");
});

Deno.test("a client that reads nothing does not hold an ended stream for ever", () => {
  const { clock, peer, stream, ends } = call();
  for (let sent = 0; sent < 256 * kib; sent += 32 * kib) stream.sendData(1, new Uint8Array(32 * kib));
  stream.end();
  for (let seconds = 0; seconds < 60; seconds++) {
    assert.equal(ends.length, 0);
    clock.advance(1000);
  }
  peer.settle();
  assert.equal(codeOf(peer.sent(), frameType.rstStream), h2Code.cancel);
  assert.equal(ends.length, 1);
});
