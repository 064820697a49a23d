/** Whatever bytes a client sends, in whatever pieces: the connection never throws, and stays within its bounds. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { callHeaders, concat, data, frame, H2Peer, headers, type Served } from "../../tests/support/memory/h2_peer.ts";
import { settingsFrame, windowUpdateFrame } from "./frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, h2Code, settingId } from "./frames/frame.ts";

const number = fc.oneof(fc.constantFrom(0, 1, 3, 5, 7, 9, 2, 0x7fffffff), fc.nat());
const payload = fc.uint8Array({ maxLength: 200 });
const streamId = fc.constantFrom(1, 3, 5, 7, 9);

/** Any frame whatever. */
const wildFrame = fc.tuple(fc.oneof(fc.nat(12), fc.nat(255)), fc.nat(255), number, payload)
  .map(([type, flags, id, bytes]) => frame(type, flags, id, bytes));

/** Frames that a sound client might send, in no sound order. */
const soundFrame = fc.oneof(
  streamId.map((id) => headers(id)),
  streamId.map((id) => headers(id, callHeaders, true)),
  streamId.map((id) => headers(id, [["trailer", "x"]], true)),
  fc.tuple(streamId, payload, fc.boolean()).map(([id, bytes, last]) => data(id, bytes, last)),
  fc.tuple(fc.constantFrom(0, 1, 3, 5), fc.nat(100_000)).map(([id, by]) => windowUpdateFrame(id, by)),
  fc.tuple(streamId, fc.nat(15)).map(([id, code]) => frame(frameType.rstStream, 0, id, Uint8Array.of(0, 0, 0, code))),
  fc.nat(70_000).map((size) => settingsFrame([[settingId.initialWindowSize, size]])),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => frame(frameType.ping, 0, 0, bytes)),
  fc.tuple(streamId, payload).map(([id, bytes]) => frame(frameType.headers, 0, id, bytes)),
  fc.tuple(streamId, payload).map(([id, bytes]) => frame(frameType.continuation, frameFlag.endHeaders, id, bytes)),
);

/** What the owner of a stream may do. */
const deed = fc.constantFrom(
  "respond",
  "write",
  "end",
  "trailers",
  "reset",
  "pause",
  "resume",
  "block",
  "drain",
  "leave",
);
type Deed = "respond" | "write" | "end" | "trailers" | "reset" | "pause" | "resume" | "block" | "drain" | "leave";

function act(peer: H2Peer, what: Deed, which: number): void {
  const request: Served | undefined = peer.served[which % Math.max(peer.served.length, 1)];
  const stream = request?.stream;
  switch (what) {
    case "respond":
      return stream?.respond([[":status", "200"]]);
    case "write":
      return void stream?.write(new Uint8Array(which % 5000).fill(which));
    case "end":
      return stream?.end();
    case "trailers":
      return stream?.end([["grpc-status", "0"]]);
    case "reset":
      return stream?.reset(h2Code.cancel);
    case "pause":
      return stream?.pause();
    case "resume":
      return stream?.resume();
    case "block":
      peer.takes = false;
      return;
    case "drain":
      peer.takes = true;
      return peer.connection.drained();
    case "leave":
      if (which % 20 === 0) peer.connection.drain();
      return;
  }
}

/** Cuts bytes at places that may be equal, out of order and beyond the end. */
function cut(whole: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)), whole.length].toSorted((a, b) => a - b);
  return at.slice(1).map((end, i) => whole.subarray(at[i], end));
}

function assertSound(peer: H2Peer): void {
  peer.settle();
  // Every frame is whole, and nothing follows a GOAWAY that ended the connection.
  const frames = peer.sent();
  if (peer.error !== undefined) assert.equal(frames.at(-1)?.type, frameType.goaway);
  for (const { type, payload } of frames) if (type === frameType.data) assert.ok(payload.length <= 65_535);
  if (peer.closed) {
    assert.equal(peer.connection.streamCount, 0);
    for (const request of peer.served) assert.ok(request.end !== undefined, "every owner was told");
  }
  for (const request of peer.served) if (request.end !== undefined) assert.equal(request.stream.queuedBytes, 0);
}

Deno.test("random bytes", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 5 }), (begins, chunks) => {
      const peer = new H2Peer();
      if (begins) peer.push(clientPreface, settingsFrame([]));
      for (const chunk of chunks) peer.push(chunk);
      assertSound(peer);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("random frames in random pieces", () => {
  fc.assert(
    fc.property(fc.array(wildFrame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, places) => {
      const peer = H2Peer.begun();
      for (const chunk of cut(concat(...frames), places)) peer.push(chunk);
      assertSound(peer);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("sound frames out of order, with an owner that does anything at any time", () => {
  const step = fc.oneof(soundFrame, fc.tuple(deed, fc.nat(10_000)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const peer = H2Peer.begun();
      peer.push(headers(1), headers(3));
      for (const one of steps) {
        if (one instanceof Uint8Array) peer.push(one);
        else act(peer, ...one);
      }
      peer.settle();
      assertSound(peer);
      peer.connection.lost("over");
      for (const request of peer.served) assert.ok(request.end !== undefined);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a body comes through whole and in order, however it is framed, padded, cut, and paused", () => {
  const part = fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }), padding: fc.option(fc.nat(20)) });
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      (parts, places, pauses) => {
        const peer = H2Peer.begun();
        peer.push(headers(1));
        const { stream } = peer.request();
        const framed = concat(
          ...parts.map(({ bytes, padding }) =>
            padding === null ? data(1, bytes) : frame(
              frameType.data,
              frameFlag.padded,
              1,
              concat(Uint8Array.of(padding), bytes, new Uint8Array(padding)),
            )
          ),
          data(1, "", true),
        );
        cut(framed, places).forEach((chunk, i) => {
          if (pauses[i] === true) stream.pause();
          if (pauses[i] === false) stream.resume();
          peer.push(chunk);
        });
        stream.resume();
        assert.deepEqual(peer.request().body, concat(...parts.map(({ bytes }) => bytes)));
        assert.ok(peer.request().ended);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("what streams write comes out whole and in order, whatever windows, frame sizes and pauses there are", () => {
  const step = fc.oneof(
    fc.record({ write: fc.nat(2), bytes: fc.integer({ min: 1, max: 30_000 }) }),
    fc.record({ grow: fc.constantFrom(0, 1, 3, 5), by: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ initial: fc.nat(50_000) }),
    fc.record({ takes: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const peer = H2Peer.begun();
      peer.push(headers(1), headers(3), headers(5));
      const written: Uint8Array[][] = [[], [], []];
      const got: Uint8Array[][] = [[], [], []];
      const collect = () => {
        for (const { type, streamId, payload } of peer.sent()) {
          if (type === frameType.data) got[(streamId - 1) / 2]?.push(payload);
        }
      };
      for (const { stream } of peer.served) stream.respond([[":status", "200"]]);
      let next = 0;
      for (const one of steps) {
        if ("write" in one) {
          const bytes = new Uint8Array(one.bytes).fill(next++);
          written[one.write]?.push(bytes);
          peer.request(one.write).stream.write(bytes);
          peer.settle();
        } else if ("grow" in one) peer.push(windowUpdateFrame(one.grow, one.by));
        else if ("initial" in one) peer.push(settingsFrame([[settingId.initialWindowSize, one.initial]]));
        else {
          peer.takes = one.takes;
          if (one.takes) peer.connection.drained();
        }
        collect();
      }
      peer.takes = true;
      peer.connection.drained();
      peer.push(...[0, 1, 3, 5].map((id) => windowUpdateFrame(id, 1 << 24)));
      collect();
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(concat(...got[i] ?? []), concat(...written[i] ?? []), `stream ${2 * i + 1}`);
      }
    }),
    { numRuns: 300 },
  );
});
