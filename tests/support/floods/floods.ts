/**
 * What strangers and hostile peers do at a listener, each as a process of its own:
 *
 *     floods.ts NAME SECONDS TARGET
 *
 * TARGET is JSON (see {@link FloodTarget}). Prints {@link Flooded} as JSON when the time is over.
 * @module
 */
import { frameType } from "../../../src/h2/frames/frame.ts";
import { encodeHeaders } from "../../../src/h2/hpack/header_encoder.ts";
import type { HeaderField } from "../../../src/h2/hpack/header_table.ts";
import { helloFrame, linkFrame, linkFrameKinds, linkProtocol, statusFrame } from "../../../src/wire/link_frame.ts";
import { dataPacket, framePacket } from "../../../src/wire/packet.ts";
import { callHeaders, concat, frame } from "../memory/h2_peer.ts";
import {
  type Act,
  body,
  call,
  comesAndGoes,
  endHeaders,
  endStream,
  Flood,
  type Flooded,
  type FloodTarget,
  gzipBomb,
  headersOnly,
  huffmanValue,
  linkFrames,
  many,
  preface,
  request,
  requests,
  streams,
  text,
  unended,
  waits,
} from "./flood_acts.ts";

const health = "/grpc.health.v1.Health/Check";
const typed = (path: string, type: string): HeaderField[] =>
  request(path).map(([name, value]) => [name, name === "content-type" ? type : value]);

const hello = helloFrame({ agentid: "flood", agentidentifiers: "", "konnectivity-features": "window,half-close" });
/** DATA of tunnels that there are not, each of which is answered with 11 bytes. */
const unknownData = concat(...Array.from({ length: 4_000 }, (_, at) => framePacket(dataPacket(at, new Uint8Array(1)))));
const get = "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n";

/** All floods by name; the first part says at what listener. */
export const floods: Readonly<Record<string, Act>> = {
  "grpc: health checks": requests(call(request("/grpc.health.v1.Health/Check")), true),
  "grpc: health checks, answers unread": requests(call(request("/grpc.health.v1.Health/Check")), false),
  "grpc: unknown calls, answers unread": requests(call(request("/no.such.Service/Call")), false),
  "grpc: unknown calls": requests(call(request("/no.such.Service/Call")), true),
  "grpc: refused GETs, answers unread": requests(
    headersOnly([[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "a"]]),
    false,
  ),
  "grpc: gzip to health checks": async (flood) => {
    const bomb = await gzipBomb();
    const block = encodeHeaders([...request(health), ["grpc-encoding", "gzip"]]);
    const call = (id: number) => concat(frame(frameType.headers, endHeaders, id, block), body(id, bomb));
    await requests((id) => concat(call(id), frame(frameType.data, endStream, id)), true)(flood);
  },
  "grpc: messages announced with 4 GiB": many(4, requests(unended(request(health), "00ffffffff", 1 << 20), true)),
  "grpc: streamed unary of gRPC": many(4, requests(unended(request(health), "0000000300", 1 << 20), true)),
  "grpc: streamed unary of Connect": many(
    4,
    requests(unended(typed(health, "application/proto"), "0a02", 1 << 20), true),
  ),
  "grpc: streamed unary of gRPC-Web": many(
    4,
    requests(unended(typed(health, "application/grpc-web+proto"), "00ffffffff", 1 << 20), true),
  ),
  "grpc: watches": many(100, streams(100, () => request("/grpc.health.v1.Health/Watch"), new Uint8Array(5))),
  "agents: 10,000 links on one connection": streams(10_000, (at) => [
    ...request("/AgentService/Connect"),
    ["agentid", `flood-${at}`],
    ["agentidentifiers", ""],
  ]),
  "link: an agent comes and goes": many(4, comesAndGoes(() => "flood")),
  "link: agents come and go": many(4, comesAndGoes(() => crypto.randomUUID())),
  "grpc: Huffman headers": requests(
    (id) => frame(frameType.headers, endHeaders | endStream, id, concat(encodeHeaders(request("/x")), huffmanValue)),
    true,
  ),
  "grpc: Huffman headers of ten": many(
    10,
    requests(
      (id) => frame(frameType.headers, endHeaders | endStream, id, concat(encodeHeaders(request("/x")), huffmanValue)),
      true,
    ),
  ),
  "grpc: rapid resets": requests(
    (id) =>
      concat(
        frame(frameType.headers, endHeaders, id, encodeHeaders(callHeaders)),
        frame(frameType.rstStream, 0, id, "00000008"),
      ),
    true,
  ),
  "grpc: silence after the preface": many(300, waits(preface)),
  "link: status before a hello": linkFrames(new Uint8Array(0), statusFrame({ code: 14, message: "x".repeat(60) })),
  "link: answers unread": linkFrames(hello, unknownData),
  "link: pings, answers unread": linkFrames(hello, linkFrame(linkFrameKinds.ping, new Uint8Array(8))),
  "link: silence": many(100, waits(new Uint8Array(0), linkProtocol)),
  "pages: pipelined scrapes, answers unread": many(4, text("", get.replace("/flood", "/metrics").repeat(2_000))),
  "pages: bodies in chunks of a byte": many(
    4,
    text("POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n".repeat(40_000)),
  ),
  "pages: bodies without an end": many(
    4,
    text("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", "x".repeat(262_144)),
  ),
  "pages: bytes behind a CONNECT": many(
    4,
    text("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "x".repeat(262_144)),
  ),
  "pages: no HTTP": many(4, text("", "\0".repeat(262_144))),
  "connect: pipelined GETs, answers unread": text("", get.repeat(2_000)),
  "connect: heads of 900 kB": many(
    100,
    text(`CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n${"x".repeat(40)}: ${"y".repeat(900_000)}`, ""),
  ),
  "connect: bodies of refused requests": many(
    4,
    text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n", "z".repeat(65_536)),
  ),
  "connect: silence": many(300, waits(new Uint8Array(0), "http/1.1")),
};

if (import.meta.main) {
  const [name = "", seconds = "", target = "{}"] = Deno.args;
  const act = floods[name];
  if (act === undefined) throw new Error(`no flood ${name}`);
  const flood = new Flood(JSON.parse(target) as FloodTarget, Number(seconds));
  await act(flood);
  const { connections, ended, bytes } = flood;
  const flooded: Flooded = { connections, ended, bytes };
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(flooded)));
  Deno.exit();
}
