import assert from "node:assert/strict";
import { callHeaders, codeOf, concat, data, frame, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { goawayFrame, pingFrame, settingsAck, settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, h2Code, settingId } from "./frames/frame.ts";
import { readUint32 } from "../wire/bytes.ts";

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_byte, at) => at * 31 + (at >> 8));
}

Deno.test("SETTINGS are sent before the client says anything, and its own are acknowledged", () => {
  const peer = new H2Peer();
  const [settings] = peer.sent();
  assert.equal(settings?.type, frameType.settings);
  peer.push(clientPreface, settingsFrame([[settingId.maxFrameSize, 20_000]]));
  assert.deepEqual(peer.sent(), [{
    type: frameType.settings,
    flags: frameFlag.ack,
    streamId: 0,
    payload: new Uint8Array(),
  }]);
});

Deno.test("a request is handed on with its headers, its body as views, its end", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), data(1, pattern(5)), data(1, pattern(3), true));
  const request = peer.request();
  assert.equal(request.headers.get(":path"), "/ProxyService/Proxy");
  assert.deepEqual([...request.headers], callHeaders);
  assert.deepEqual(request.body, concat(pattern(5), pattern(3)));
  assert.ok(request.ended);
});

Deno.test("a stream that is cut anywhere, or comes byte by byte, says the same", () => {
  const script = concat(
    clientPreface,
    settingsFrame([]),
    settingsAck(),
    headers(1),
    data(1, pattern(300)),
    frame(frameType.data, frameFlag.padded, 1, concat(Uint8Array.of(4), pattern(10), new Uint8Array(4))),
    frame(frameType.headers, frameFlag.endStream | frameFlag.endHeaders, 1, "0001610162"),
  );
  const assertSame = (peer: H2Peer) => {
    assert.deepEqual(peer.request().body, concat(pattern(300), pattern(10)));
    assert.ok(peer.request().ended);
    assert.ok(peer.lives);
  };
  for (let at = 0; at <= script.length; at++) {
    const peer = new H2Peer();
    peer.push(script.subarray(0, at));
    peer.push(script.subarray(at));
    assertSame(peer);
  }
  const peer = new H2Peer();
  for (const byte of script) peer.push(Uint8Array.of(byte));
  assertSame(peer);
});

Deno.test("a percent-encoded :authority is a name like any other", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  assert.equal(peer.request().headers.get(":authority"), "%2Ftmp%2Fproxy.sock");
});

Deno.test("an answer is headers, data, trailers; when the client has ended too, the stream is over", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const { stream } = peer.request();
  stream.respond([[":status", "200"], ["content-type", "application/grpc"]]);
  stream.write(pattern(10));
  stream.end([["grpc-status", "0"]]);
  peer.settle();
  const frames = peer.sent();
  assert.deepEqual(frames.map(({ type, flags }) => [type, flags]), [
    [frameType.headers, frameFlag.endHeaders],
    [frameType.data, 0],
    [frameType.headers, frameFlag.endHeaders | frameFlag.endStream],
  ]);
  assert.deepEqual(peer.decode(frames[0]?.payload ?? new Uint8Array()), {
    ":status": "200",
    "content-type": "application/grpc",
  });
  assert.deepEqual(peer.decode(frames[2]?.payload ?? new Uint8Array()), { "grpc-status": "0" });
  assert.equal(peer.request().end, undefined);
  peer.push(data(1, "", true));
  assert.deepEqual(peer.request().end, { kind: "ended" });
  assert.equal(peer.connection.streamCount, 0);
});

Deno.test("without trailers the last DATA frame ends the stream, or an empty one", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), headers(3));
  peer.request(0).stream.respond([[":status", "200"]]);
  peer.request(0).stream.write(pattern(3));
  peer.request(0).stream.end();
  peer.request(1).stream.respond([[":status", "200"]]);
  peer.settle();
  peer.request(1).stream.end();
  peer.settle();
  const ends = peer.sentOf(frameType.data).map(({ streamId, flags, payload }) => [streamId, flags, payload.length]);
  assert.deepEqual(ends, [[1, frameFlag.endStream, 3], [3, frameFlag.endStream, 0]]);
});

Deno.test("a reset tells the owner, and bytes behind it are nobody's", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const request = peer.request();
  request.stream.respond([[":status", "200"]]);
  peer.push(frame(frameType.rstStream, 0, 1, "00000008"));
  assert.deepEqual(request.end, { kind: "reset", code: h2Code.cancel, byPeer: true });
  peer.sent();
  assert.ok(request.stream.write(pattern(10)));
  request.stream.end([["grpc-status", "0"]]);
  request.stream.reset(h2Code.cancel);
  peer.settle();
  assert.deepEqual(peer.sent(), []);
  assert.ok(peer.lives);
});

Deno.test("this side's reset drops what was not sent, and what the peer had sent meanwhile is no fault", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const request = peer.request();
  request.stream.respond([[":status", "200"]]);
  peer.takes = false;
  request.stream.write(pattern(10));
  peer.settle();
  request.stream.write(pattern(50));
  request.stream.reset(h2Code.cancel);
  peer.settle();
  assert.equal(codeOf(peer.sent(), frameType.rstStream), h2Code.cancel);
  peer.push(
    data(1, pattern(100)),
    windowUpdateFrame(1, 5),
    frame(frameType.headers, frameFlag.endHeaders | frameFlag.endStream, 1, "0001610162"),
    frame(frameType.rstStream, 0, 1, "00000008"),
  );
  assert.deepEqual(peer.sent(), []);
  assert.ok(peer.lives);
});

Deno.test("a stream that ended on both sides needs no reset", () => {
  const peer = H2Peer.begun(() => {});
  peer.push(headers(1, callHeaders, true));
  const { stream } = peer.request();
  stream.respond([[":status", "200"]], true);
  stream.reset(h2Code.noError);
  peer.settle();
  assert.deepEqual(peer.sentOf(frameType.rstStream), []);
  assert.equal(peer.connection.streamCount, 0);
});

Deno.test("a client that lowers its table is told that ours is empty", () => {
  const peer = H2Peer.begun();
  peer.push(settingsFrame([[settingId.headerTableSize, 0]]), headers(1));
  peer.sent();
  peer.request().stream.respond([[":status", "200"]]);
  peer.request().stream.end([["a", "b"]]);
  peer.settle();
  const [first, second] = peer.sentOf(frameType.headers);
  assert.equal(first?.payload[0], 0x20);
  assert.notEqual(second?.payload[0], 0x20, "once");
});

Deno.test("headers beyond a frame go on in CONTINUATION", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  const long = "x".repeat(40_000);
  peer.request().stream.respond([[":status", "200"], ["long", long]]);
  peer.settle();
  const frames = peer.sent();
  assert.deepEqual(frames.map(({ type }) => type), [frameType.headers, frameType.continuation, frameType.continuation]);
  assert.deepEqual(frames.map(({ flags }) => flags), [0, 0, frameFlag.endHeaders]);
  assert.equal(peer.decode(concat(...frames.map(({ payload }) => payload)))["long"], long);
});

Deno.test("the end of the connection is the end of every stream, told once", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), headers(3));
  peer.connection.lost("gone");
  peer.connection.lost("gone again");
  for (const request of peer.served) assert.deepEqual(request.end, { kind: "lost", message: "gone" });
  assert.ok(peer.closed);
  peer.push(headers(5));
  assert.equal(peer.served.length, 2);
});

Deno.test("draining serves what was on its way, refuses what is new, and ends with the last stream", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  peer.connection.drain();
  peer.connection.drain();
  peer.settle();
  const [goaway, ping, ...rest] = peer.sent();
  assert.deepEqual(rest, []);
  assert.equal(readUint32(goaway?.payload ?? new Uint8Array(4), 0), 0x7fffffff);
  peer.push(headers(3));
  assert.equal(peer.served.length, 2, "sent before the client knew");
  peer.push(frame(frameType.ping, frameFlag.ack, 0, ping?.payload));
  const [last] = peer.sentOf(frameType.goaway);
  assert.equal(readUint32(last?.payload ?? new Uint8Array(4), 0), 3);
  peer.push(headers(5));
  assert.equal(peer.served.length, 2);
  assert.ok(!peer.ended);
  for (const { stream } of peer.served) {
    stream.respond([[":status", "200"]], true);
    peer.push(data(stream.id, "", true));
  }
  assert.ok(peer.ended && peer.closed);
  assert.equal(peer.error, undefined);
});

Deno.test("a connection without streams that drains is over when the client has heard of it", () => {
  const peer = H2Peer.begun();
  peer.connection.drain();
  peer.settle();
  const [, ping] = peer.sent();
  assert.ok(!peer.ended);
  peer.push(frame(frameType.ping, frameFlag.ack, 0, ping?.payload));
  assert.ok(peer.ended);
});

Deno.test("a client that leaves with its last stream is answered no more: it does not read", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1));
  peer.settle();
  peer.sent();
  peer.push(concat(
    pingFrame(false, new Uint8Array(8)),
    frame(frameType.rstStream, 0, 1, "00000008"),
    goawayFrame(0, h2Code.noError),
  ));
  peer.settle();
  assert.deepEqual(peer.sent(), []);
  assert.equal(peer.ended, true);
});

Deno.test("a client that says GOAWAY keeps its streams, and the connection ends with them", () => {
  const peer = H2Peer.begun();
  peer.push(headers(1), frame(frameType.goaway, 0, 0, "0000000000000000"));
  assert.ok(!peer.closed);
  peer.push(frame(frameType.rstStream, 0, 1, "00000008"));
  assert.ok(peer.ended && peer.closed);
});

Deno.test("a ping is answered, and one of ours calls back", () => {
  const peer = H2Peer.begun();
  assert.ok(peer.lives);
  let pongs = 0;
  peer.connection.ping(() => pongs++);
  peer.settle();
  const [ping] = peer.sent();
  peer.push(frame(frameType.ping, frameFlag.ack, 0, "ffffffffffffffff"));
  assert.equal(pongs, 0, "an answer to nothing");
  peer.push(frame(frameType.ping, frameFlag.ack, 0, ping?.payload));
  peer.push(frame(frameType.ping, frameFlag.ack, 0, ping?.payload));
  assert.equal(pongs, 1);
});
