/** A hostile client for each line of the limits' table: it is refused, and what it makes this side hold stays bounded. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { callHeaders, codeOf, concat, data, frame, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { frameFlag, frameType, h2Code, settingId } from "./frames/frame.ts";
import { encodeHeaders } from "./hpack/header_encoder.ts";
import type { HeaderField } from "./hpack/header_table.ts";
import { h2Limits } from "./limits.ts";

const { endHeaders, padded } = frameFlag;
const block = encodeHeaders(callHeaders);
/** Headers whose values are 24,000 Huffman-coded zeros in 15,000 bytes, and a thousand that take a byte each. */
const tooMuch = concat(
  ...Array.from({ length: 3 }, () => concat(Uint8Array.of(0x00, 1, 0x78, 0xff, 0x89, 0x26), new Uint8Array(5_000))),
  ...Array.from({ length: 1_200 }, () => Uint8Array.of(0x82)),
);

/** Sends frames until the connection has enough; returns how many it took. */
function flood(peer: H2Peer, next: (count: number) => Uint8Array, most = 20_000): number {
  for (let count = 0; count < most; count++) {
    peer.push(next(count));
    if (peer.closed) return count;
  }
  return most;
}

function assertCalmed(peer: H2Peer): void {
  assert.equal(peer.error?.code, h2Code.enhanceYourCalm);
  assert.equal(codeOf(peer.sent(), frameType.goaway), h2Code.enhanceYourCalm);
  assert.ok(peer.ended);
}

const worthless: Record<string, (count: number) => Uint8Array> = {
  "PING": () => frame(frameType.ping, 0, 0, "0000000000000000"),
  "answers to pings that nobody sent": () => frame(frameType.ping, frameFlag.ack, 0, "0000000000000000"),
  "SETTINGS": () => settingsFrame([]),
  "SETTINGS that move every window": (count) => settingsFrame([[settingId.initialWindowSize, count % 2]]),
  "acknowledgements of SETTINGS": () => frame(frameType.settings, frameFlag.ack, 0),
  "empty DATA": () => data(1, ""),
  "DATA that is all padding": () => frame(frameType.data, padded, 1, "00"),
  "PRIORITY": () => frame(frameType.priority, 0, 1, "00000000ff"),
  "window updates by one byte": () => windowUpdateFrame(1, 1),
  "window updates of the connection": () => windowUpdateFrame(0, 1),
  "frames of unknown types": () => frame(0x77, 0, 1, "00"),
  "RST_STREAM on one stream": () => frame(frameType.rstStream, 0, 1, "00000008"),
};
for (const [title, next] of Object.entries(worthless)) {
  Deno.test(`a flood of ${title} ends the connection`, () => {
    const peer = H2Peer.begun();
    peer.push(headers(1));
    const taken = flood(peer, next);
    assert.ok(taken > 100 && taken <= h2Limits.idleFrameBurst, `${taken} frames`);
    assertCalmed(peer);
  });
}

Deno.test("rapid reset: streams that are opened and reset at once end the connection", () => {
  const peer = H2Peer.begun();
  const taken = flood(
    peer,
    (count) => concat(headers(2 * count + 1), frame(frameType.rstStream, 0, 2 * count + 1, "00000008")),
  );
  assert.ok(taken <= h2Limits.idleFrameBurst);
  assertCalmed(peer);
  assert.equal(peer.connection.streamCount, 0);
});

Deno.test("rapid reset by provocation: streams that this side must reset end the connection", () => {
  const provocations: ((id: number) => Uint8Array)[] = [
    (id) => concat(headers(id), windowUpdateFrame(id, 0)),
    (id) => concat(headers(id), frame(frameType.priority, 0, id, "00")),
    (id) => concat(headers(id), windowUpdateFrame(id, 0x7fffffff)),
    (id) => headers(id, [...callHeaders, ["X", "y"]]),
    (id) => concat(headers(id, callHeaders, true), data(id, "00")),
  ];
  for (const provoke of provocations) {
    const peer = H2Peer.begun();
    assert.ok(flood(peer, (count) => provoke(2 * count + 1)) <= h2Limits.idleFrameBurst);
    assertCalmed(peer);
  }
});

Deno.test("streams beyond the limit, over and over, end the connection", () => {
  const peer = H2Peer.begun(undefined, { maxConcurrentStreams: 10 });
  assert.ok(flood(peer, (count) => headers(2 * count + 1)) <= h2Limits.idleFrameBurst + 10);
  assertCalmed(peer);
});

Deno.test("a client that ends each stream when it is served may do so for ever", () => {
  const peer: H2Peer = H2Peer.begun((request) => {
    peer.connection.accepted();
    request.stream.start(request);
    request.stream.respond([[":status", "200"]]);
    request.stream.write(new Uint8Array(10));
  });
  peer.push(windowUpdateFrame(0, 1 << 28));
  const answered = flood(
    peer,
    (count) => concat(headers(2 * count + 1), frame(frameType.rstStream, 0, Math.max(2 * count - 1, 1), "00000008")),
    30_000,
  );
  assert.equal(answered, 30_000);
});

Deno.test("a client that answers every DATA frame with PING and WINDOW_UPDATE, as grpc-go does, is served on", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), windowUpdateFrame(0, 1 << 28), windowUpdateFrame(1, 1 << 28));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  const answered = flood(peer, () => {
    stream.write(new Uint8Array(100));
    peer.settle();
    return concat(
      windowUpdateFrame(1, 109),
      windowUpdateFrame(0, 109),
      frame(frameType.ping, 0, 0, "02041010090e0707"),
    );
  }, 30_000);
  assert.equal(answered, 30_000);
});

const answered: Record<string, (id: number) => Uint8Array> = {
  "requests that are answered at once": (id) => headers(id, callHeaders, true),
  "requests with large headers": (id) => headers(id, [...callHeaders, ["x", "y".repeat(12_000)]], true),
  "requests whose headers are beyond the limit": (id) =>
    frame(frameType.headers, endHeaders | frameFlag.endStream, id, concat(block, tooMuch)),
};
for (const [title, next] of Object.entries(answered)) {
  Deno.test(`a flood of ${title} ends the connection, whether its answers are read or not`, () => {
    for (const takes of [true, false]) {
      const peer = H2Peer.begun((request) => {
        request.stream.respond([[":status", "404"]], true);
        request.stream.reset(h2Code.noError);
      });
      peer.takes = takes;
      const taken = flood(peer, (count) => next(2 * count + 1));
      assert.ok(taken > 50 && taken <= h2Limits.idleFrameBurst / h2Limits.answeredRequestCost, `${taken} requests`);
      assert.equal(peer.error?.code, h2Code.enhanceYourCalm);
    }
  });
}

Deno.test("of a chunk that holds many requests some are served, and the rest when the connection is asked again", () => {
  const large = [...callHeaders, ["x", "y".repeat(8_000)]] as const;
  for (const [fields, served] of [[callHeaders, h2Limits.requestsOfTurn], [large, 2]] as const) {
    const peer = H2Peer.begun();
    const count = 100;
    let left: Uint8Array | undefined = concat(...Array.from({ length: count }, (_, at) => headers(2 * at + 1, fields)));
    for (let turn = 1; left !== undefined; turn++) {
      left = peer.connection.push(left);
      const expected = Math.min(turn * served, count);
      assert.equal(peer.connection.streamCount, expected, `turn ${turn}`);
      if (expected < count) assert.ok(left !== undefined);
    }
    assert.equal(peer.connection.streamCount, count);
    assert.ok(peer.lives);
  }
});

Deno.test("a burst of 3,000 calls that are accepted, and a cancellation of each, is taken", () => {
  const peer: H2Peer = H2Peer.begun(() => peer.connection.accepted(), { maxConcurrentStreams: 10_000 });
  assert.equal(flood(peer, (count) => headers(2 * count + 1), 3_000), 3_000);
  const reset = (count: number) => frame(frameType.rstStream, 0, 2 * count + 1, "00000008");
  assert.equal(flood(peer, reset, 3_000), 3_000);
  assert.ok(peer.lives);
});

Deno.test("CONTINUATION without an end: the block's size is bounded", () => {
  const peer = H2Peer.begun();
  peer.push(frame(frameType.headers, 0, 1, block));
  const taken = flood(peer, () => frame(frameType.continuation, 0, 1, new Uint8Array(16_384)));
  assert.ok(taken * 16_384 <= h2Limits.maxHeaderBlockBytes);
  assertCalmed(peer);
});

Deno.test("empty CONTINUATION without an end: their number is bounded", () => {
  const peer = H2Peer.begun();
  peer.push(frame(frameType.headers, 0, 1, block));
  assert.equal(flood(peer, () => frame(frameType.continuation, 0, 1)), h2Limits.maxContinuations);
  assertCalmed(peer);
});

Deno.test("a header list beyond the limit is answered with 431, and the connection goes on", () => {
  const peer = H2Peer.begun();
  const large: HeaderField[] = Array.from({ length: 2_800 }, (_, i) => [`x-${i}`, "v".repeat(60)]);
  const many = encodeHeaders([...callHeaders, ...large]);
  peer.push(frame(frameType.headers, 0, 1, many.subarray(0, 16_000)));
  for (let at = 16_000; at < many.length; at += 16_000) {
    const last = at + 16_000 >= many.length;
    peer.push(frame(frameType.continuation, last ? endHeaders : 0, 1, many.subarray(at, at + 16_000)));
  }
  const answer = peer.sentOf(frameType.headers);
  assert.equal(answer[0]?.streamId, 1);
  assert.equal(peer.decode(answer[0]?.payload ?? new Uint8Array())[":status"], "431");
  assert.equal(peer.served.length, 0);
  assert.ok(peer.lives);
});

Deno.test("a header bomb, one large field referred to thousands of times, is counted in full and kept once", () => {
  const peer = H2Peer.begun();
  // A literal of 3,000 bytes that goes into the table, then references to it.
  const bomb = concat(
    block,
    Uint8Array.fromHex("4001787f" + "b916"),
    new Uint8Array(3000).fill(0x61),
    new Uint8Array(12_000).fill(0xbe),
  );
  peer.push(frame(frameType.headers, endHeaders, 1, bomb));
  assert.equal(peer.decode(peer.sentOf(frameType.headers)[0]?.payload ?? new Uint8Array())[":status"], "431");
  assert.ok(peer.lives);
});

Deno.test("a stream that nobody reads makes this side hold its window and no more, in few pieces", () => {
  const peer = H2Peer.begun(() => {}, { streamWindowBytes: 65_535 });
  peer.push(headers(1));
  // Byte by byte, each in a frame of its own.
  for (let i = 0; i < 65_535; i++) peer.connection.push(data(1, "61"));
  assert.equal(peer.closed, false);
  const request = peer.request();
  request.stream.start(request);
  assert.equal(request.body.length, 65_535);
  assert.ok(request.pieces.length < 20, `${request.pieces.length} pieces`);
});

Deno.test("streams that are not read take nothing from their neighbour until they hold the limit, then its window stops", () => {
  const streamWindowBytes = 16 * 1024 * 1024;
  const peer = H2Peer.begun((request) => {
    if (request.stream.id === 1) request.stream.start(request);
  }, { streamWindowBytes, connectionWindowBytes: 1 << 20 });
  peer.push(headers(1));
  const chunk = new Uint8Array(16_384);
  const full = Math.floor(h2Limits.maxPausedBytes / streamWindowBytes);
  for (let i = 1; i <= full; i++) {
    peer.push(headers(2 * i + 1));
    for (let sent = 0; sent < streamWindowBytes; sent += chunk.length) peer.push(data(2 * i + 1, chunk));
  }
  assert.ok(peer.lives, "64 MiB of unread streams were taken");
  peer.push(data(1, chunk));
  assert.equal(peer.request(0).body.length, chunk.length, "and the neighbour is served");
  // One stream more, and what is held is beyond the limit: the connection's window is not returned any more.
  peer.push(headers(1001));
  let taken = 0;
  while (!peer.closed && taken < 4 << 20) {
    peer.push(data(1001, chunk));
    taken += chunk.length;
  }
  assert.equal(peer.error?.code, h2Code.flowControlError);
  assert.ok(taken <= 2 << 20, `${taken} bytes beyond the limit`);
});

Deno.test("a client that opens no window makes this side hold its queue and no more", () => {
  const peer = H2Peer.begun();
  peer.push(settingsFrame([[settingId.initialWindowSize, 0]]), headers(1));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  let queued = 0;
  for (let more = true; more;) {
    more = stream.write(new Uint8Array(1000));
    queued += 1000;
    peer.settle();
  }
  assert.ok(queued <= h2Limits.streamQueueHighBytes + 1000);
  assert.equal(stream.queuedBytes, queued);
  peer.sent();
  assert.equal(peer.request().drains, 0);
  stream.reset(h2Code.cancel);
  assert.equal(stream.queuedBytes, 0, "let go with the stream");
});

Deno.test("small pieces that wait for a client cost little more than their bytes, and arrive as they were written", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const peer = H2Peer.begun();
  peer.push(settingsFrame([[settingId.initialWindowSize, 0]]), headers(1), windowUpdateFrame(0, 1 << 28));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  peer.sent();
  while (stream.write(new Uint8Array(4000)));
  collect();
  const before = Deno.memoryUsage().heapUsed;
  let written = stream.queuedBytes;
  const write = (length: number) => {
    stream.write(Uint8Array.from({ length }, (_, at) => (written + at) * 7 >>> 4));
    written += length;
  };
  for (let count = 0; count < 200_000; count++) write(1);
  collect();
  assert.ok(Deno.memoryUsage().heapUsed - before < 4 * 1024 * 1024);
  const first = stream.queuedBytes - 200_000;
  let read = 0;
  const check = () => {
    for (const { type, payload } of peer.sent()) {
      if (type !== frameType.data) continue;
      for (const byte of payload) {
        const expected = read < first ? 0 : (read * 7 >>> 4) % 256;
        if (byte !== expected) assert.fail(`byte ${read} is ${byte}, not ${expected}`);
        read++;
      }
    }
  };
  // Windows of odd sizes cut the blocks anywhere, and more is written meanwhile.
  for (let round = 0; read < written && round < 10_000; round++) {
    peer.push(windowUpdateFrame(1, 1 + round * 37 % 2000));
    check();
    if (round < 200) { for (const length of [3, 2047, 5, 2048, 1, 1, 9000, 1]) write(length); }
  }
  assert.equal(read, written);
  assert.equal(stream.queuedBytes, 0);
});

Deno.test("a client that reads nothing gets control frames in proportion to what it asks, and no data", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), windowUpdateFrame(0, 1 << 28), windowUpdateFrame(1, 1 << 28));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]]);
  peer.takes = false;
  for (let i = 0; i < 100; i++) {
    stream.write(new Uint8Array(10_000));
    peer.settle();
  }
  assert.ok(peer.writtenBytes < 50_000, `${peer.writtenBytes} bytes`);
  flood(peer, () => frame(frameType.ping, 0, 0, "0000000000000000"));
  assert.ok(peer.writtenBytes < 50_000 + 17 * (h2Limits.idleFrameBurst + 10));
  assert.ok(peer.closed);
});

Deno.test("late frames for streams that this side reset are remembered for the latest thousand only", () => {
  const peer = H2Peer.begun();
  const count = h2Limits.maxResetStreams + 10;
  for (let i = 0; i < count; i++) {
    peer.push(headers(2 * i + 1));
    peer.connection.accepted();
    peer.request(i).stream.reset(h2Code.cancel);
    peer.settle();
  }
  peer.sent();
  peer.push(data(2 * count - 1, "00"));
  assert.deepEqual(peer.sent(), [], "a latest one");
  peer.push(data(1, "00"));
  assert.equal(codeOf(peer.sent(), frameType.rstStream), h2Code.streamClosed, "a forgotten one");
  assert.ok(peer.lives);
});
