/**
 * What strangers and hostile peers do at a listener, each as a process of its own:
 *
 *     floods.ts NAME SECONDS TARGET
 *
 * TARGET is JSON (see {@link FloodTarget}). Prints {@link Flooded} as JSON when the time is over.
 * @module
 */
import { settingsFrame, windowUpdateFrame } from "../../../src/h2/frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, settingId } from "../../../src/h2/frames/frame.ts";
import { encodeHeaders } from "../../../src/h2/hpack/header_encoder.ts";
import type { HeaderField } from "../../../src/h2/hpack/header_table.ts";
import { helloFrame, linkFrame, linkFrameKinds, linkProtocol, statusFrame } from "../../../src/wire/link_frame.ts";
import { dataPacket, framePacket } from "../../../src/wire/packet.ts";
import { callHeaders, concat, frame } from "../memory/h2_peer.ts";

/** Where a flood goes. */
export interface FloodTarget {
  /** Path of a Unix socket; else a port of 127.0.0.1. */
  readonly uds?: string;
  readonly port?: number;
  /** Present: over TLS, with this certificate where there is one. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

/** What a flood brought. */
export interface Flooded {
  readonly connections: number;
  /** Connections that the other side ended. */
  readonly ended: number;
  readonly bytes: number;
}

/** A way to flood; it goes on for as long as {@link Flood.over} is false. */
type Act = (flood: Flood) => Promise<void>;

/** The connections of one flood, and what they brought. */
class Flood {
  connections = 0;
  ended = 0;
  bytes = 0;
  readonly #target: FloodTarget;
  readonly #until: number;

  constructor(target: FloodTarget, seconds: number) {
    this.#target = target;
    this.#until = performance.now() + 1000 * seconds;
  }

  get over(): boolean {
    return performance.now() >= this.#until;
  }

  /** @param protocol offered by ALPN where the target is behind TLS */
  async open(protocol = "h2"): Promise<Deno.Conn> {
    const { uds, port = 0, tls } = this.#target;
    this.connections++;
    if (uds !== undefined) return await Deno.connect({ transport: "unix", path: uds });
    if (tls === undefined) return await Deno.connect({ hostname: "127.0.0.1", port });
    const { ca, cert, key } = tls;
    const conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port,
      caCerts: [ca],
      alpnProtocols: [protocol],
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
    await conn.handshake();
    return conn;
  }

  /** Writes all of it. @returns false once the other side has had enough, or the time is over */
  async write(conn: Deno.Conn, bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length;) {
      if (this.over) return false;
      const written = await this.#withinTime(conn.write(bytes.subarray(at)).catch(() => 0));
      if (written === 0) this.ended++;
      if (written === 0 || written === undefined) return false;
      at += written;
      this.bytes += written;
    }
    return true;
  }

  /** Reads and drops everything. */
  async drain(conn: Deno.Conn): Promise<void> {
    const into = new Uint8Array(65_536);
    while (await conn.read(into).catch(() => null) !== null);
  }

  /** Waits until the time is over. */
  async lasts(): Promise<void> {
    await this.#withinTime(new Promise(() => {}));
  }

  /** Waits until the other side ends the connection, or the time is over. */
  async ends(conn: Deno.Conn): Promise<void> {
    if (await this.#withinTime(this.drain(conn).then(() => true))) this.ended++;
  }

  /** Does something again and again, each time on a connection of its own. */
  async again(step: () => Promise<void>): Promise<void> {
    while (!this.over) {
      try {
        await step();
      } catch {
        // Nobody lets it in any more.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  #withinTime<T>(work: Promise<T>): Promise<T | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), Math.max(0, this.#until - performance.now()));
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}

const { endHeaders, endStream } = frameFlag;
const preface = concat(
  clientPreface,
  settingsFrame([[settingId.initialWindowSize, 1 << 24]]),
  windowUpdateFrame(0, 1 << 30),
);

const request = (path: string): HeaderField[] =>
  callHeaders.map(([name, value]) => [name, name === ":path" ? path : value]);

/** HTTP/2 requests without an end, each of the same frames. */
function requests(frames: (streamId: number) => Uint8Array, reads: boolean): Act {
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open();
      if (reads) void flood.drain(conn);
      if (!await flood.write(conn, preface)) return;
      for (let id = 1;;) {
        const batch: Uint8Array[] = [];
        for (let bytes = 0; bytes < 65_536; id += 2) {
          const next = frames(id);
          batch.push(next);
          bytes += next.length;
        }
        if (!await flood.write(conn, concat(...batch))) return;
      }
    });
}

function call(fields: readonly HeaderField[]): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  return (id) =>
    concat(frame(frameType.headers, endHeaders, id, block), frame(frameType.data, endStream, id, "0000000000"));
}

function headersOnly(fields: readonly HeaderField[]): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  return (id) => frame(frameType.headers, endHeaders | endStream, id, block);
}

/** A header whose value is 15,000 bytes of the shortest Huffman code: 24,000 characters, each a walk of its own. */
const huffmanValue = concat(Uint8Array.of(0x00, 1, 0x78), Uint8Array.of(0xff, 0x99, 0x74), new Uint8Array(15_000));

/** Frames on a direct link, again and again, behind what comes first. */
function linkFrames(first: Uint8Array, frames: Uint8Array): Act {
  const batch = concat(...Array.from({ length: Math.ceil(65_536 / frames.length) }, () => frames));
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(linkProtocol);
      if (first.length > 0 && !await flood.write(conn, first)) return;
      while (await flood.write(conn, batch));
    });
}

/** So many connections at once, each of which does the same. */
function many(count: number, act: Act): Act {
  return async (flood) => void await Promise.all(Array.from({ length: count }, () => act(flood)));
}

/** Text, and what it is written with again and again. */
function text(first: string, rest: string, reads = false, protocol = "http/1.1"): Act {
  const chunk = new TextEncoder().encode(rest);
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(protocol);
      if (reads) void flood.drain(conn);
      if (!await flood.write(conn, new TextEncoder().encode(first))) return;
      if (chunk.length === 0) return await flood.ends(conn);
      while (await flood.write(conn, chunk));
    });
}

/** Does something once and waits for what comes of it. */
function waits(first: Uint8Array, protocol = "h2"): Act {
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(protocol);
      if (first.length > 0 && !await flood.write(conn, first)) return;
      await flood.ends(conn);
    });
}

/** DATA frames of a body, without an end. */
function body(streamId: number, bytes: Uint8Array): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 16_384) {
    frames.push(frame(frameType.data, 0, streamId, bytes.subarray(at, at + 16_384)));
  }
  return concat(...frames);
}

/** A request with a body that goes on for so many bytes and has no end. */
function unended(fields: readonly HeaderField[], first: string, bytes: number): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  const whole = concat(Uint8Array.fromHex(first), new Uint8Array(bytes));
  return (id) => concat(frame(frameType.headers, endHeaders, id, block), body(id, whole));
}

/** Half a gigabyte of zeros, which are half a megabyte in gzip, as one message. */
async function gzipBomb(): Promise<Uint8Array> {
  const zeros = new Uint8Array(2 ** 20);
  let left = 512;
  const source = new ReadableStream({
    pull: (controller) => left-- > 0 ? controller.enqueue(zeros) : controller.close(),
  });
  const zipped = new Uint8Array(await new Response(source.pipeThrough(new CompressionStream("gzip"))).arrayBuffer());
  const prefix = new Uint8Array([1, 0, 0, 0, 0]);
  new DataView(prefix.buffer).setUint32(1, zipped.length);
  return concat(prefix, zipped);
}

/** Opens many streams on one connection, reads the answers, and keeps it open. */
function streams(count: number, fields: (at: number) => readonly HeaderField[], after = new Uint8Array(0)): Act {
  return async (flood) => {
    using conn = await flood.open();
    if (!await flood.write(conn, preface)) return;
    void flood.drain(conn);
    for (let at = 0; at < count; at += 100) {
      const batch = Array.from({ length: 100 }, (_, i) => {
        const id = 2 * (at + i) + 1;
        const data = after.length === 0 ? after : frame(frameType.data, endStream, id, after);
        return concat(frame(frameType.headers, endHeaders, id, encodeHeaders(fields(at + i))), data);
      });
      if (!await flood.write(conn, concat(...batch))) return;
    }
    await flood.lasts();
  };
}

/** Comes in as an agent and goes at once, again and again. */
function comesAndGoes(agentId: () => string): Act {
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(linkProtocol);
      await flood.write(conn, helloFrame({ agentid: agentId(), agentidentifiers: "" }));
      await conn.read(new Uint8Array(100));
    });
}

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
