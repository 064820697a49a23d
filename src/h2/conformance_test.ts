/**
 * What RFC 9113 asks of a server, case by case, in the order of the cases of the conformance tool h2spec and with its section
 * numbers; the cases and the code are our own.
 */
import assert from "node:assert/strict";
import { endsConnection, endsStream, isTaken } from "../../tests/support/memory/h2_cases.ts";
import { callHeaders, codeOf, concat, data, frame, H2Peer, headers } from "../../tests/support/memory/h2_peer.ts";
import { settingsAck, settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, h2Code, settingId } from "./frames/frame.ts";
import { encodeHeaders } from "./hpack/header_encoder.ts";

const { endHeaders, endStream, padded, priority, ack } = frameFlag;
const block = encodeHeaders(callHeaders);

// ---- 3.4: connection preface ----

Deno.test("3.4: a client that speaks another protocol is told so and closed", () => {
  for (const text of ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "\x16\x03\x01"]) {
    const peer = new H2Peer();
    peer.push(new TextEncoder().encode(text));
    assert.equal(codeOf(peer.sent(), frameType.goaway), h2Code.protocolError);
    assert.ok(peer.ended);
  }
});

Deno.test("3.4: the first frame is SETTINGS", () => {
  for (const first of [headers(1), data(1, "00"), settingsAck(), windowUpdateFrame(0, 1), frame(0xee, 0, 0)]) {
    const peer = new H2Peer();
    peer.push(clientPreface, first);
    assert.equal(codeOf(peer.sent(), frameType.goaway), h2Code.protocolError);
  }
});

// ---- 4: frames ----

isTaken("4.1: a frame of an unknown type is ignored", frame(0x16, 0xff, 0, "00".repeat(8)), frame(0x16, 0, 77, "00"));
isTaken("4.1: undefined flags are ignored", frame(frameType.ping, 0xfe, 0, "0000000000000000"));
Deno.test("4.1: the reserved bit of a stream's number is ignored", () => {
  const peer = H2Peer.begun();
  peer.push(frame(frameType.ping, 0, 0x80000000, "0000000000000000"));
  assert.deepEqual(peer.sent().map(({ type, flags }) => [type, flags]), [[frameType.ping, ack]]);
});
isTaken("4.2: DATA of 16,384 bytes is taken", headers(1), data(1, new Uint8Array(16_384)));
endsConnection(
  "4.2: DATA larger than 16,384 bytes",
  h2Code.frameSizeError,
  headers(1),
  data(1, new Uint8Array(16_385)),
);
endsConnection(
  "4.2: HEADERS larger than 16,384 bytes",
  h2Code.frameSizeError,
  frame(frameType.headers, endHeaders, 1, new Uint8Array(16_385)),
);
endsConnection(
  "4.3: a header block that is none",
  h2Code.compressionError,
  frame(frameType.headers, endHeaders, 1, "40"),
);
endsConnection(
  "4.3: PRIORITY within a header block",
  h2Code.protocolError,
  frame(frameType.headers, 0, 1, block),
  frame(frameType.priority, 0, 1, "00000000ff"),
);
endsConnection(
  "4.3: HEADERS of another stream within a header block",
  h2Code.protocolError,
  frame(frameType.headers, 0, 1, block),
  headers(3),
);
endsConnection(
  "4.3: DATA within a header block",
  h2Code.protocolError,
  headers(1),
  frame(frameType.headers, endStream, 1, "0001610162"),
  data(1, "00"),
);

// ---- 5.1: stream states ----

endsConnection("5.1: DATA on an idle stream", h2Code.protocolError, data(1, "00"));
endsConnection("5.1: RST_STREAM on an idle stream", h2Code.protocolError, frame(frameType.rstStream, 0, 1, "00000008"));
endsConnection("5.1: WINDOW_UPDATE on an idle stream", h2Code.protocolError, windowUpdateFrame(1, 100));
endsConnection(
  "5.1: CONTINUATION on an idle stream",
  h2Code.protocolError,
  frame(frameType.continuation, endHeaders, 1, block),
);
isTaken("5.1: PRIORITY on an idle stream", frame(frameType.priority, 0, 1, "00000000ff"));
endsStream(
  "5.1: DATA on a stream whose client has ended",
  h2Code.streamClosed,
  headers(1, callHeaders, true),
  data(1, "00"),
);
endsStream(
  "5.1: HEADERS on a stream whose client has ended",
  h2Code.streamClosed,
  headers(1, callHeaders, true),
  frame(frameType.headers, endHeaders | endStream, 1, "0001610162"),
);
isTaken(
  "5.1: WINDOW_UPDATE, PRIORITY and RST_STREAM on a stream whose client has ended",
  headers(1, callHeaders, true),
  windowUpdateFrame(1, 100),
  frame(frameType.priority, 0, 1, "00000000ff"),
  frame(frameType.rstStream, 0, 1, "00000008"),
);
const reset = frame(frameType.rstStream, 0, 1, "00000008");
endsStream("5.1: DATA on a stream that the client reset", h2Code.streamClosed, headers(1), reset, data(1, "00"));
endsConnection("5.1: HEADERS on a stream that the client reset", h2Code.streamClosed, headers(1), reset, headers(1));
isTaken("5.1: WINDOW_UPDATE on a stream that the client reset", headers(1), reset, windowUpdateFrame(1, 100), reset);
endsConnection("5.1.1: an even stream number", h2Code.protocolError, headers(2));
endsConnection("5.1.1: a stream number below the last one's", h2Code.streamClosed, headers(5), headers(3));
Deno.test("5.1.2: streams beyond MAX_CONCURRENT_STREAMS are refused, and taken when others have ended", () => {
  const peer = H2Peer.begun(undefined, { maxConcurrentStreams: 2 });
  peer.push(headers(1), headers(3), headers(5));
  const [refusal] = peer.sentOf(frameType.rstStream);
  assert.equal(refusal?.streamId, 5);
  assert.equal(codeOf([refusal], frameType.rstStream), h2Code.refusedStream);
  peer.push(reset, headers(7));
  assert.deepEqual(peer.served.map(({ stream }) => stream.id), [1, 3, 7]);
});
endsStream(
  "5.3.1: a stream that depends on itself",
  h2Code.protocolError,
  frame(frameType.headers, endHeaders | priority, 1, concat(Uint8Array.fromHex("00000001ff"), block)),
);

// ---- 6.1: DATA ----

endsConnection("6.1: DATA on the connection", h2Code.protocolError, data(0, "00"));
endsConnection(
  "6.1: padding longer than its frame",
  h2Code.protocolError,
  headers(1),
  frame(frameType.data, padded, 1, "0500"),
);
endsConnection(
  "6.1: a padded frame without a length",
  h2Code.frameSizeError,
  headers(1),
  frame(frameType.data, padded, 1),
);
isTaken("6.1: DATA that is all padding", headers(1), frame(frameType.data, padded, 1, "020000"));

// ---- 6.2: HEADERS ----

isTaken(
  "6.2: HEADERS with padding",
  frame(frameType.headers, endHeaders | padded, 1, concat(Uint8Array.of(2), block, Uint8Array.of(0, 0))),
);
isTaken(
  "6.2: HEADERS with a priority",
  frame(frameType.headers, endHeaders | priority, 1, concat(Uint8Array.fromHex("80000000ff"), block)),
);
endsConnection("6.2: HEADERS on the connection", h2Code.protocolError, headers(0));
endsConnection(
  "6.2: HEADERS whose padding is longer than they are",
  h2Code.protocolError,
  frame(frameType.headers, endHeaders | padded, 1, concat(Uint8Array.of(200), block)),
);
endsConnection(
  "6.2: HEADERS too short for their flags",
  h2Code.frameSizeError,
  frame(frameType.headers, endHeaders | padded | priority, 1, "00000000"),
);

// ---- 6.3: PRIORITY ----

endsConnection("6.3: PRIORITY on the connection", h2Code.protocolError, frame(frameType.priority, 0, 0, "00000000ff"));
endsStream(
  "6.3: PRIORITY that is not 5 bytes long",
  h2Code.frameSizeError,
  headers(1),
  frame(frameType.priority, 0, 1, "00000000"),
);

// ---- 6.4: RST_STREAM ----

endsConnection("6.4: RST_STREAM on the connection", h2Code.protocolError, frame(frameType.rstStream, 0, 0, "00000008"));
endsConnection(
  "6.4: RST_STREAM that is not 4 bytes long",
  h2Code.frameSizeError,
  headers(1),
  frame(frameType.rstStream, 0, 1, "000008"),
);

// ---- 6.5: SETTINGS ----

endsConnection(
  "6.5: an acknowledgement with a payload",
  h2Code.frameSizeError,
  frame(frameType.settings, ack, 0, "000100000000"),
);
endsConnection("6.5: SETTINGS on a stream", h2Code.protocolError, frame(frameType.settings, 0, 1));
endsConnection("6.5: SETTINGS of an odd length", h2Code.frameSizeError, frame(frameType.settings, 0, 0, "000100"));
endsConnection("6.5.2: ENABLE_PUSH of 2", h2Code.protocolError, settingsFrame([[settingId.enablePush, 2]]));
endsConnection(
  "6.5.2: INITIAL_WINDOW_SIZE beyond 2^31-1",
  h2Code.flowControlError,
  settingsFrame([[settingId.initialWindowSize, 0x80000000]]),
);
endsConnection(
  "6.5.2: MAX_FRAME_SIZE below 16,384",
  h2Code.protocolError,
  settingsFrame([[settingId.maxFrameSize, 16_383]]),
);
endsConnection(
  "6.5.2: MAX_FRAME_SIZE beyond 2^24-1",
  h2Code.protocolError,
  settingsFrame([[settingId.maxFrameSize, 1 << 24]]),
);
isTaken("6.5.2: unknown settings are ignored", settingsFrame([[0xff, 1], [0x8, 1]]));
Deno.test("6.5.3: of a setting that is given twice the last counts, and there is one acknowledgement", () => {
  const peer = H2Peer.begun();
  peer.push(settingsFrame([[settingId.initialWindowSize, 100], [settingId.initialWindowSize, 1]]), headers(1));
  assert.equal(peer.sentOf(frameType.settings).length, 1);
  peer.request().stream.respond([[":status", "200"]]);
  peer.request().stream.write(new Uint8Array(50));
  peer.settle();
  assert.deepEqual(peer.sentOf(frameType.data).map(({ payload }) => payload.length), [1]);
});

// ---- 6.6 to 6.8: PUSH_PROMISE, PING, GOAWAY ----

endsConnection(
  "6.6: PUSH_PROMISE from a client",
  h2Code.protocolError,
  frame(frameType.pushPromise, endHeaders, 1, concat(Uint8Array.of(0, 0, 0, 2), block)),
);
Deno.test("6.7: a PING is answered with its own bytes", () => {
  const peer = H2Peer.begun();
  peer.push(frame(frameType.ping, 0, 0, "6832737065632d70"));
  assert.equal(peer.sent()[0]?.payload.toHex(), "6832737065632d70");
});
Deno.test("6.7: an answer to a PING is not answered", () => {
  const peer = H2Peer.begun();
  peer.push(frame(frameType.ping, ack, 0, "6832737065632d70"));
  assert.deepEqual(peer.sent(), []);
});
endsConnection(
  "6.7: PING on a stream",
  h2Code.protocolError,
  headers(1),
  frame(frameType.ping, 0, 1, "0000000000000000"),
);
endsConnection(
  "6.7: PING that is not 8 bytes long",
  h2Code.frameSizeError,
  frame(frameType.ping, 0, 0, "000000000000"),
);
endsConnection(
  "6.8: GOAWAY on a stream",
  h2Code.protocolError,
  headers(1),
  frame(frameType.goaway, 0, 1, "0000000000000000"),
);
endsConnection("6.8: GOAWAY that is too short", h2Code.frameSizeError, frame(frameType.goaway, 0, 0, "00000000"));

// ---- 6.9: WINDOW_UPDATE ----

endsConnection("6.9: WINDOW_UPDATE by nothing", h2Code.protocolError, windowUpdateFrame(0, 0));
endsStream("6.9: WINDOW_UPDATE of a stream by nothing", h2Code.protocolError, headers(1), windowUpdateFrame(1, 0));
endsConnection(
  "6.9: WINDOW_UPDATE that is not 4 bytes long",
  h2Code.frameSizeError,
  frame(frameType.windowUpdate, 0, 0, "000001"),
);
endsConnection("6.9.1: a connection window beyond 2^31-1", h2Code.flowControlError, windowUpdateFrame(0, 0x7fffffff));
endsStream(
  "6.9.1: a stream window beyond 2^31-1",
  h2Code.flowControlError,
  headers(1),
  windowUpdateFrame(1, 0x7fffffff),
);
endsConnection(
  "6.9.2: a window that INITIAL_WINDOW_SIZE takes beyond 2^31-1",
  h2Code.flowControlError,
  headers(1),
  windowUpdateFrame(1, 0x7fffffff - 65_535),
  settingsFrame([[settingId.initialWindowSize, 65_536]]),
);
Deno.test("6.9.1: DATA beyond the stream's window ends the stream", () => {
  const peer = H2Peer.begun((request) => {
    request.stream.start(request);
    request.stream.pause();
  }, { streamWindowBytes: 1000 });
  peer.push(headers(1), data(1, new Uint8Array(1000)), data(1, new Uint8Array(1)));
  assert.equal(codeOf(peer.sent(), frameType.rstStream), h2Code.flowControlError);
  assert.deepEqual(peer.request().end, { kind: "reset", code: h2Code.flowControlError, byPeer: false });
  assert.ok(peer.lives);
});

// ---- 6.10: CONTINUATION ----

isTaken(
  "6.10: a header block in many parts",
  frame(frameType.headers, 0, 1, block.subarray(0, 3)),
  frame(frameType.continuation, 0, 1, block.subarray(3, 4)),
  frame(frameType.continuation, 0, 1),
  frame(frameType.continuation, endHeaders, 1, block.subarray(4)),
);
endsConnection(
  "6.10: CONTINUATION on the connection",
  h2Code.protocolError,
  frame(frameType.headers, 0, 1, block),
  frame(frameType.continuation, endHeaders, 0),
);
endsConnection(
  "6.10: CONTINUATION behind a whole block",
  h2Code.protocolError,
  headers(1),
  frame(frameType.continuation, endHeaders, 1, block),
);
endsConnection(
  "6.10: CONTINUATION of another stream",
  h2Code.protocolError,
  frame(frameType.headers, 0, 1, block),
  frame(frameType.continuation, endHeaders, 3),
);
