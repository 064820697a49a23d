import { settingsFrame, windowUpdateFrame } from "../../../../src/h2/frames/control_frames.ts";
import {
  clientPreface,
  frameFlag,
  frameHeaderBytes,
  frameType,
  h2Code,
  settingId,
} from "../../../../src/h2/frames/frame.ts";
import { callHeaders, codeOf, data, frame, H2Peer, headers, type Served } from "../../../support/memory/h2_peer.ts";
import { mutate } from "../../mutate.ts";
import type { Random } from "../../random.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf, joined } from "./chunks.ts";
import { holds } from "./texts.ts";

const begin = joined([clientPreface, settingsFrame([])]);

/** A call that is answered, and whose bytes come back. */
function serve(request: Served): void {
  const { stream } = request;
  stream.start({
    onData: (bytes) => {
      request.onData(bytes);
      stream.write(bytes);
    },
    onDrain: () => request.onDrain(),
    onEnd: () => {
      request.onEnd();
      stream.end([["grpc-status", "0"]]);
    },
    onClose: (end) => request.onClose(end),
  });
  stream.respond([[":status", "200"]]);
  // Some are stopped and read later, which is what a tunnel does.
  if (stream.id % 8 === 3) stream.pause();
  if (stream.id % 8 === 5) { for (const each of [1, 2]) stream.write(new Uint8Array(each * 10)); }
}

/** Serves the chunks of a connection. */
function served(chunks: readonly Uint8Array[]): H2Peer {
  const peer = new H2Peer(serve, { maxConcurrentStreams: 8 });
  for (const chunk of chunks) peer.push(chunk);
  return peer;
}

/** What a peer did not depend on in how its bytes were cut: requests, their bodies, and how the connection ended. */
function outcome(peer: H2Peer): string {
  const requests = peer.served.map(({ headers, body, ended }) => [headers, body.toHex(), ended]);
  return JSON.stringify([requests, peer.error?.code, peer.error?.message]);
}

function check(peer: H2Peer): void {
  const sent = peer.sent();
  if (peer.error !== undefined) holds(codeOf(sent, frameType.goaway) !== undefined, () => "a failure is answered");
  for (const { type, payload } of sent) {
    if (type === frameType.data) holds(payload.length <= 65_535, () => `DATA of ${payload.length} bytes`);
  }
  holds(peer.connection.streamCount <= 8, () => `${peer.connection.streamCount} streams`);
  if (!peer.closed) peer.connection.lost("over");
  peer.settle();
  holds(peer.connection.streamCount === 0, () => "no stream is left");
  for (const { end, stream } of peer.served) {
    holds(end !== undefined, () => `stream ${stream.id} has ended`);
    holds(stream.queuedBytes === 0, () => `stream ${stream.id} holds ${stream.queuedBytes} bytes`);
  }
}

function someFrame(random: Random): Uint8Array {
  const id = 1 + 2 * random.below(5);
  switch (random.below(12)) {
    case 0:
      return data(id, random.bytes(random.below(40)), random.chance(0.3));
    case 1:
      return windowUpdateFrame(
        random.chance(0.5) ? 0 : id,
        1 + random.below(random.chance(0.9) ? 100_000 : 2 ** 31 - 2),
      );
    case 2:
      return frame(frameType.rstStream, 0, id, Uint8Array.of(0, 0, 0, random.below(14)));
    case 3:
      return settingsFrame([[settingId.initialWindowSize, random.below(70_000)]]);
    case 4:
      return frame(frameType.ping, random.below(2), 0, random.bytes(8));
    case 5:
      return frame(random.below(12), random.below(256), random.chance(0.2) ? 0 : id, random.bytes(random.below(30)));
    case 6:
      return frame(frameType.goaway, 0, 0, random.bytes(8));
    case 7:
      return joined([
        frame(frameType.headers, 0, id, headers(id).subarray(frameHeaderBytes)),
        frame(frameType.continuation, frameFlag.endHeaders, id),
      ]);
    default:
      return headers(id, random.chance(0.8) ? callHeaders : [["trailer", "x"]], random.chance(0.3));
  }
}

/** The frames of an input, as far as it has any. */
function framesOf(input: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < input.length;) {
    const length = (input[at] ?? 0) << 16 | (input[at + 1] ?? 0) << 8 | (input[at + 2] ?? 0);
    const end = Math.min(input.length, at + frameHeaderBytes + length);
    frames.push(input.subarray(at, end));
    at = end;
  }
  return frames;
}

/** A server's HTTP/2 connection, with calls that are answered; the first byte says whether the preface is the input's. */
export const h2Server: FuzzTarget = {
  name: "h2-server",
  modules: ["src/h2/", "src/streams/"],
  seeds: [
    joined([Uint8Array.of(1), begin, headers(1)]),
    joined([Uint8Array.of(0), headers(1), data(1, "0102", true), headers(3, callHeaders, true)]),
    joined([Uint8Array.of(0), headers(1), data(1, "0102"), headers(1, [["trailer", "x"]], true)]),
    joined([
      Uint8Array.of(0),
      headers(3),
      data(3, "00".repeat(20)),
      windowUpdateFrame(3, 5),
      frame(3, 0, 3, "00000008"),
    ]),
    joined([
      Uint8Array.of(0),
      headers(5),
      frame(frameType.goaway, 0, 0, "0000000000000000"),
      frame(6, 0, 0, "00".repeat(8)),
    ]),
    joined([Uint8Array.of(0), frame(1, 0, 1, headers(1).subarray(9, 20)), frame(9, 4, 1, headers(1).subarray(20))]),
    joined([Uint8Array.of(0), frame(1, 0x2d, 1, "02000000010f82868441006161"), frame(0, 8, 1, "0300")]),
  ],
  restructure: (random, input) => {
    const frames = [
      ...framesOf(input.subarray(1)),
      ...Array.from({ length: 1 + random.below(4) }, () => someFrame(random)),
    ];
    return joined([Uint8Array.of(random.chance(0.95) ? 0 : 1), ...mutate(random, frames, 0.2).slice(0, 60)]).slice(
      0,
      2048,
    );
  },
  maxWork: (bytes) => 100_000 + 6000 * bytes,
  run(input) {
    const bytes = (input[0] ?? 0) % 2 === 1 ? input.subarray(1) : joined([begin, input.subarray(1)]);
    const whole = served([bytes]);
    const cut = served(chunksOf(bytes));
    const [one, other] = [outcome(whole), outcome(cut)];
    // Whether a stream, or behind a GOAWAY the connection, is closed already depends on what was written meanwhile.
    const late = [whole, cut].some(({ closed, error }) => error?.code === h2Code.streamClosed || (closed && !error));
    holds(late || one === other, () => `a connection does not depend on its chunks\nin one piece ${one}\ncut ${other}`);
    check(whole);
    check(cut);
  },
};
