import assert from "node:assert/strict";
import { concat, data, frame, H2Peer, headers, type SentFrame } from "../../tests/support/memory/h2_peer.ts";
import { settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, settingId } from "./frames/frame.ts";
import { h2Limits } from "./limits.ts";
import { readUint32 } from "../wire/bytes.ts";

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_byte, at) => at * 31 + (at >> 8));
}

/** The payload of the DATA frames on a stream. */
function bodyOf(frames: readonly SentFrame[], streamId: number): Uint8Array {
  return concat(
    ...frames.filter((one) => one.type === frameType.data && one.streamId === streamId).map((one) => one.payload),
  );
}

/** Order of streams in the DATA frames. */
function order(frames: readonly SentFrame[]): number[] {
  return frames.filter((one) => one.type === frameType.data).map((one) => one.streamId);
}

Deno.test("payloads go out as the views that were written, cut at the peer's frame size", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, 1 << 20), headers(1), windowUpdateFrame(1, 1 << 20));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  stream.write(pattern(13));
  stream.write(pattern(40_000));
  peer.settle();
  const frames = peer.sentOf(frameType.data);
  assert.deepEqual(frames.map(({ payload }) => payload.length), [16_384, 16_384, 7245]);
  assert.deepEqual(bodyOf(frames, 1), concat(pattern(13), pattern(40_000)));
});

Deno.test("an owner that ends its side while its queue is full still learns that it has drained, once", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, 1 << 20), headers(1));
  const request = peer.request();
  request.stream.respond([[":status", "200"]]);
  assert.equal(request.stream.write(pattern(h2Limits.streamQueueHighBytes)), false);
  request.stream.end();
  peer.settle();
  assert.equal(request.drains, 0);
  peer.push(windowUpdateFrame(1, 40_000));
  peer.settle();
  assert.equal(request.drains, 1, "while its end is still queued");
  peer.push(windowUpdateFrame(1, 1 << 20));
  peer.settle();
  assert.equal(request.drains, 1);
  assert.ok(request.stream.localEnded);
  assert.equal(peer.sentOf(frameType.data).at(-1)?.flags, frameFlag.endStream);
});

Deno.test("an owner learns that its queue has drained even by the frame that ends its side", () => {
  const peer = new H2Peer();
  const large = 64 * 1024;
  const settings = settingsFrame([[settingId.initialWindowSize, 1], [settingId.maxFrameSize, large]]);
  peer.push(clientPreface, settings, windowUpdateFrame(0, 1 << 20), headers(1));
  const request = peer.request();
  request.stream.respond([[":status", "200"]]);
  request.stream.write(pattern(h2Limits.streamQueueHighBytes));
  request.stream.end();
  peer.push(windowUpdateFrame(1, h2Limits.streamQueueHighBytes - large - 1));
  peer.settle();
  assert.equal(request.drains, 0);
  assert.equal(request.stream.queuedBytes, large);
  peer.push(windowUpdateFrame(1, large));
  peer.settle();
  assert.ok(request.stream.localEnded);
  assert.equal(request.drains, 1);
});

Deno.test("a sender never exceeds the stream's window, the connection's, or the client's frame size", () => {
  const peer = new H2Peer();
  peer.push(clientPreface, settingsFrame([[settingId.initialWindowSize, 1000], [settingId.maxFrameSize, 20_000]]));
  peer.push(headers(1), headers(3));
  peer.sent();
  for (const { stream } of peer.served) {
    stream.respond([[":status", "200"]]);
    stream.write(pattern(100_000));
  }
  peer.settle();
  let frames = peer.sent();
  assert.equal(bodyOf(frames, 1).length, 1000);
  assert.equal(bodyOf(frames, 3).length, 1000);
  peer.push(windowUpdateFrame(1, 500));
  assert.equal(bodyOf(peer.sent(), 1).length, 500);
  peer.push(windowUpdateFrame(1, 200_000));
  frames = peer.sent();
  // 65,535 for the connection, of which 2,500 were used.
  assert.equal(bodyOf(frames, 1).length, 63_035);
  assert.ok(frames.every(({ payload }) => payload.length <= 20_000));
  peer.push(windowUpdateFrame(3, 100));
  assert.equal(peer.sent().length, 0);
  peer.push(windowUpdateFrame(0, 50));
  assert.equal(peer.sentOf(frameType.data).reduce((sum, { payload }) => sum + payload.length, 0), 50);
});

Deno.test("a smaller INITIAL_WINDOW_SIZE takes from open streams, below zero too, and a larger one gives", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  stream.write(pattern(60_000));
  peer.settle();
  peer.sent();
  stream.write(pattern(20_000));
  peer.push(settingsFrame([[settingId.initialWindowSize, 10_000]]));
  assert.deepEqual(peer.sentOf(frameType.data), []);
  peer.push(windowUpdateFrame(1, 50_000));
  assert.deepEqual(peer.sentOf(frameType.data), [], "minus 50,000 and 50,000 are nothing");
  peer.push(settingsFrame([[settingId.initialWindowSize, 10_100]]));
  assert.equal(bodyOf(peer.sent(), 1).length, 100);
});

Deno.test("a writer is asked to hold back when much waits, and told when it may go on", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  let writes = 1;
  while (stream.write(pattern(10_000))) writes++;
  assert.ok(writes * 10_000 >= h2Limits.streamQueueHighBytes && writes < 20);
  peer.settle();
  assert.equal(peer.request().drains, 0, "the window took less than half of it");
  peer.push(windowUpdateFrame(0, 100_000), windowUpdateFrame(1, 100_000));
  assert.equal(peer.request().drains, 1);
});

Deno.test("streams take turns, frame by frame, and one without a window holds nobody up", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, 1 << 20), headers(1), headers(3), headers(5));
  peer.push(settingsFrame([[settingId.initialWindowSize, 200_000]]));
  peer.sent();
  for (const { stream } of peer.served) stream.respond([[":status", "200"]]);
  for (const { stream } of peer.served) stream.write(pattern(50_000));
  peer.request(2).stream.write(pattern(20_000));
  peer.settle();
  assert.deepEqual(order(peer.sent()), [1, 3, 5, 1, 3, 5, 1, 3, 5, 1, 3, 5, 5]);
});

Deno.test("what is new goes first, what is much does not push it aside", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, 1 << 24), headers(1), headers(3), windowUpdateFrame(1, 1 << 24));
  peer.sent();
  const [large, small] = [peer.request(0).stream, peer.request(1).stream];
  large.respond([[":status", "200"]]);
  small.respond([[":status", "200"]]);
  peer.takes = false;
  for (let i = 0; i < 100; i++) large.write(pattern(60_000));
  peer.settle();
  const written = bodyOf(peer.sent(), 1).length;
  assert.ok(written < 400_000, `${written} bytes were pushed into an output that holds back`);
  small.write(pattern(100));
  peer.takes = true;
  peer.connection.drained();
  assert.ok(order(peer.sent()).indexOf(3) <= 1, "after one frame at most");
});

Deno.test("an output that holds back gets control frames only", () => {
  const peer = H2Peer.begun();
  peer.push(windowUpdateFrame(0, 1 << 24), headers(1), windowUpdateFrame(1, 1 << 24));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  peer.takes = false;
  stream.write(pattern(10));
  peer.settle();
  peer.sent();
  stream.write(pattern(10));
  peer.push(frame(frameType.ping, 0, 0, "0102030405060708"));
  assert.deepEqual(peer.sent().map(({ type, flags }) => [type, flags]), [[frameType.ping, frameFlag.ack]]);
  peer.takes = true;
  peer.connection.drained();
  assert.equal(bodyOf(peer.sent(), 1).length, 10);
});

Deno.test("windows are returned as bytes are consumed", () => {
  const peer = H2Peer.begun(undefined, { streamWindowBytes: 1000 });
  peer.push(headers(1), data(1, pattern(499)));
  assert.deepEqual(peer.sentOf(frameType.windowUpdate), []);
  peer.push(data(1, pattern(1)));
  const [update] = peer.sentOf(frameType.windowUpdate);
  assert.equal(update?.streamId, 1);
  assert.equal(readUint32(update?.payload ?? new Uint8Array(4), 0), 500);
});

Deno.test("a paused stream returns no window, holds what comes, and gives it out in order", () => {
  const peer = H2Peer.begun(undefined, { streamWindowBytes: 1000 });
  peer.push(headers(1));
  const request = peer.request();
  request.stream.pause();
  peer.push(data(1, pattern(600)), data(1, pattern(400), true));
  assert.equal(request.body.length, 0);
  assert.ok(!request.ended, "the end comes behind what was held");
  assert.deepEqual(peer.sentOf(frameType.windowUpdate), []);
  request.stream.resume();
  assert.deepEqual(request.body, concat(pattern(600), pattern(400)));
  assert.ok(request.ended);
});

Deno.test("a reader that pauses while it is given held bytes gets no more of them", () => {
  const peer = H2Peer.begun((request) => {
    const once = { ...handlerOf(request) };
    request.stream.start({
      ...once,
      onData: (bytes) => {
        request.onData(bytes);
        request.stream.pause();
      },
    });
  });
  peer.push(headers(1), data(1, pattern(5000)), data(1, pattern(6000)));
  const request = peer.request();
  assert.equal(request.body.length, 5000);
  request.stream.resume();
  assert.equal(request.body.length, 11_000);
});

function handlerOf(request: ReturnType<H2Peer["request"]>) {
  return {
    onDrain: () => request.onDrain(),
    onEnd: () => request.onEnd(),
    onClose: (end: Parameters<typeof request.onClose>[0]) => request.onClose(end),
  };
}

Deno.test("bytes that come before a stream is started are its first", () => {
  const peer = H2Peer.begun(() => {});
  peer.push(headers(1), data(1, pattern(10)), data(1, pattern(20), true));
  const request = peer.request();
  request.stream.start(request);
  assert.deepEqual(request.body, concat(pattern(10), pattern(20)));
  assert.ok(request.ended);
});

Deno.test("padding counts for the windows and is given back", () => {
  const peer = H2Peer.begun(undefined, { streamWindowBytes: 1000 });
  peer.push(headers(1));
  peer.push(frame(frameType.data, frameFlag.padded, 1, concat(Uint8Array.of(255), new Uint8Array(255))));
  peer.push(frame(frameType.data, frameFlag.padded, 1, concat(Uint8Array.of(255), new Uint8Array(255))));
  const [update] = peer.sentOf(frameType.windowUpdate);
  assert.equal(readUint32(update?.payload ?? new Uint8Array(4), 0), 512);
  assert.equal(peer.request().body.length, 0);
});
