import { settingsAck, settingsFrame } from "../../src/h2/frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, h2Code } from "../../src/h2/frames/frame.ts";
import { encodeHeaders } from "../../src/h2/hpack/header_encoder.ts";
import type { HeaderField } from "../../src/h2/hpack/header_table.ts";
import { frame as grpcFrame } from "../conformance/raw_grpc.ts";
import { frame } from "../support/memory/h2_peer.ts";
import { mutate } from "./mutate.ts";
import { packetMessage, tunnelMessages } from "./packet_messages.ts";
import type { Random } from "./random.ts";
import { type Script, steps } from "./script.ts";

/** What an HTTP/2 script may ask for. */
export interface Http2Target {
  /** Destinations that answer. */
  readonly addresses: readonly string[];
  /** Metadata of a call that would be taken in. */
  readonly metadata: readonly HeaderField[];
}

const methods = ["POST", "POST", "POST", "GET", "CONNECT", "PUT", "get", "", "POST\r\n"] as const;
const paths = [
  "/ProxyService/Proxy",
  "/AgentService/Connect",
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/Watch",
  "/grpc.health.v1.Health/List",
  "/",
  "*",
  "",
  "//",
  "/%",
  "/%00",
  "http://a/b",
  "/ProxyService/Proxy?a=b#c",
  "/ProxyService/Proxy/",
] as const;
const authorities = [
  "127.0.0.1",
  "localhost:8091",
  "x:99999",
  "x:y",
  "[",
  "%",
  "[::1]:8090",
  "",
  "a b",
  "user:pw@host",
  "%2Ftmp%2Fproxy.sock",
  "host/path",
  "host?query",
  "host#hash",
  "host\\back",
  "xn--",
  "1.2.3.4.5",
  "a..b",
  ":",
  "@",
] as const;
const contentTypes = [
  "application/grpc",
  "application/grpc",
  "application/grpc+proto",
  "application/grpc;x",
  "application/grpc+json",
  "application/grpc-web",
  "application/proto",
  "application/connect+proto",
  "application/json",
  "text/plain",
  "",
] as const;
const oddFields: readonly (readonly [HeaderField, ...HeaderField[]])[] = [
  [["te", "trailers"]],
  [["te", "gzip"]],
  [["grpc-timeout", "1m"]],
  [["grpc-timeout", "999999999999999999H"]],
  [["grpc-encoding", "gzip"]],
  [["grpc-accept-encoding", "gzip,br"]],
  [["connection", "close"]],
  [["host", "x:99999"]],
  [["host", "a"], ["host", "b"]],
  [["content-length", "0"]],
  [["content-length", "99999999999999999999"]],
  [["content-length", "-1"]],
  [["Upper-Case", "x"]],
  [["", "x"]],
  [[":protocol", "websocket"]],
  [[":status", "200"]],
  [["x-long", "y".repeat(20_000)]],
  [["authorization", "Bearer x"]],
  [["authorization", "Bearer a"], ["authorization", "Bearer b"]],
  [["agentid", "a"], ["agentid", "b"]],
  [["agentidentifiers", "host=%zz&ipv4=1.2.3.4;cidr=x"]],
  [["konnectivity-features", "window,half-close,\u0007"]],
  [["expect", "100-continue"]],
  [["accept-encoding", "gzip"]],
  [["connect-protocol-version", "1"]],
];

/** An HTTP/2 connection: a preface, settings, calls with their packets, control frames; valid first, then mutated. */
export function http2Script(random: Random, target: Http2Target): Script {
  const messages: Uint8Array[] = [clientPreface, settings(random)];
  if (random.chance(0.7)) messages.push(settingsAck());
  let streamId = 1;
  for (let count = 1 + random.below(6); count > 0; count--) {
    messages.push(...call(random, target, streamId));
    streamId += random.chance(0.95) ? 2 : random.below(1000);
    if (random.chance(0.3)) messages.push(controlFrame(random, streamId));
  }
  // Packets of calls that overlap.
  if (random.chance(0.2)) shuffleTail(random, messages, 2);
  return steps(random, mutate(random, messages, random.pick([0, 0, 0.02, 0.1, 0.4])));
}

/** Many of one cheap frame: what a flood begins with, cut short by the bound that it meets. */
export function http2FloodScript(random: Random, target: Http2Target): Script {
  const count = 50 + random.below(random.chance(0.2) ? 4000 : 300);
  const make = random.pick<(streamId: number) => Uint8Array>([
    () => controlFrame(random, 1 + random.below(20)),
    () => frame(frameType.ping, 0, 0, random.bytes(8)),
    () => settings(random),
    (streamId) => headersFrame(random, streamId, callFields(random, target, "/grpc.health.v1.Health/Check"), true),
    (streamId) => headersFrame(random, streamId, callFields(random, target, random.pick(paths)), true),
    (streamId) => joined(headersFrame(random, streamId, callFields(random, target), false), reset(streamId)),
    (streamId) =>
      joined(
        headersFrame(random, streamId, callFields(random, target, "/grpc.health.v1.Health/Check"), false),
        frame(frameType.data, frameFlag.endStream, streamId, grpcFrame(new Uint8Array())),
      ),
  ]);
  const flood: Uint8Array[] = [];
  for (let at = 0; at < count; at++) flood.push(make(1 + 2 * at));
  const once = joined(clientPreface, settingsFrame([]), ...flood);
  return steps(random, random.chance(0.5) ? [once] : [clientPreface, settingsFrame([]), ...flood.slice(0, 100), once]);
}

function call(random: Random, target: Http2Target, streamId: number): Uint8Array[] {
  const path = random.chance(0.7) ? random.pick(["/ProxyService/Proxy", "/AgentService/Connect"]) : random.pick(paths);
  const messages = [headersFrame(random, streamId, callFields(random, target, path), random.chance(0.1))];
  const packets = random.chance(0.6)
    ? tunnelMessages(random, target.addresses)
    : Array.from({ length: random.below(5) }, () => packetMessage(random, target.addresses));
  if (random.chance(0.1)) {
    packets.push(grpcFrame(random.bytes(random.length(10)), random.below(3), random.uint32()));
  }
  for (const packet of mutate(random, packets, random.pick([0, 0, 0.2]))) {
    messages.push(...dataFrames(random, streamId, packet));
  }
  if (random.chance(0.4)) messages.push(frame(frameType.data, frameFlag.endStream, streamId));
  else if (random.chance(0.2)) messages.push(reset(streamId));
  return messages;
}

function callFields(random: Random, target: Http2Target, path: string = random.pick(paths)): HeaderField[] {
  const fields: HeaderField[] = [
    [":method", random.chance(0.85) ? "POST" : random.pick(methods)],
    [":scheme", random.chance(0.9) ? "https" : random.pick(["http", "ftp", "", ":", "a b"])],
    [":path", path],
    [":authority", random.chance(0.6) ? "127.0.0.1" : random.pick(authorities)],
    ["content-type", random.chance(0.8) ? "application/grpc" : random.pick(contentTypes)],
    ["te", "trailers"],
    ...(random.chance(0.7) ? target.metadata : []),
  ];
  const [firstOdd, ...others] = oddFields;
  if (firstOdd !== undefined) {
    while (random.chance(0.3)) fields.splice(random.below(fields.length + 1), 0, ...random.pick([firstOdd, ...others]));
  }
  if (random.chance(0.03)) fields.splice(random.below(fields.length), 1);
  return fields;
}

function headersFrame(
  random: Random,
  streamId: number,
  fields: readonly HeaderField[],
  endStream: boolean,
): Uint8Array {
  const block = encodeHeaders(fields);
  const flags = endStream ? frameFlag.endStream : 0;
  if (block.length < 3 || !random.chance(0.1)) {
    return frame(frameType.headers, flags | frameFlag.endHeaders, streamId, block);
  }
  const at = 1 + random.below(block.length - 1);
  return joined(
    frame(frameType.headers, flags, streamId, block.slice(0, at)),
    frame(frameType.continuation, random.chance(0.9) ? frameFlag.endHeaders : 0, streamId, block.slice(at)),
  );
}

function dataFrames(random: Random, streamId: number, bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = random.chance(0.8) ? 16_384 : 1 + random.below(100);
    found.push(frame(frameType.data, 0, streamId, bytes.slice(at, at + length)));
    at += length;
  }
  return found;
}

function settings(random: Random): Uint8Array {
  const pairs: [number, number][] = [];
  while (random.chance(0.5)) {
    pairs.push([
      random.below(9),
      random.pick([0, 1, 100, 4096, 16_384, 65_535, 1 << 20, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]),
    ]);
  }
  return settingsFrame(pairs);
}

function controlFrame(random: Random, streamId: number): Uint8Array {
  const id = random.chance(0.5) ? 0 : random.below(streamId + 4);
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, random.pick([0, 1, 65_535, 1 << 24, 0x7fff_ffff, 0xffff_ffff]));
  return random.pick<() => Uint8Array>([
    () => frame(frameType.windowUpdate, 0, id, number),
    () => frame(frameType.ping, random.below(2), 0, random.bytes(8)),
    () => frame(frameType.priority, 0, id, random.bytes(5)),
    () => frame(frameType.goaway, 0, 0, random.bytes(8 + random.below(20))),
    () => frame(frameType.settings, frameFlag.ack, 0),
    () => frame(frameType.pushPromise, frameFlag.endHeaders, id, random.bytes(8)),
    () => frame(frameType.continuation, random.below(256), id, random.bytes(random.below(40))),
    () => frame(10 + random.below(246), random.below(256), id, random.bytes(random.length(9))),
    () => frame(frameType.data, frameFlag.padded, id, random.bytes(1 + random.below(300))),
    () => reset(id),
  ])();
}

function reset(streamId: number): Uint8Array {
  return frame(frameType.rstStream, 0, streamId, Uint8Array.of(0, 0, 0, h2Code.cancel));
}

function shuffleTail(random: Random, messages: Uint8Array[], from: number): void {
  for (let at = messages.length - 1; at > from; at--) {
    const other = from + random.below(at - from + 1);
    const [here, there] = [messages[at], messages[other]];
    if (here === undefined || there === undefined) continue;
    messages[at] = there;
    messages[other] = here;
  }
}

/** Joins byte arrays. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The server's side of an HTTP/2 connection, for agents that connect: settings, a response, packets; then mutated. */
export function http2ServerScript(random: Random, target: Http2Target): Script {
  const response: HeaderField[] = [
    [":status", random.chance(0.9) ? "200" : random.pick(["100", "404", "999", "x", ""])],
    ["content-type", random.chance(0.9) ? "application/grpc" : random.pick(contentTypes)],
    ...target.metadata,
  ];
  const messages: Uint8Array[] = [
    settings(random),
    settingsAck(),
    headersFrame(random, 1, response, random.chance(0.1)),
  ];
  for (let count = random.below(12); count > 0; count--) {
    for (const packet of tunnelMessages(random, target.addresses)) messages.push(...dataFrames(random, 1, packet));
    if (random.chance(0.2)) messages.push(controlFrame(random, 3));
  }
  if (random.chance(0.5)) messages.push(headersFrame(random, 1, [["grpc-status", String(random.below(20))]], true));
  return steps(random, mutate(random, messages, random.pick([0, 0, 0.02, 0.1, 0.4])));
}
