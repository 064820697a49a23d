import { settingsFrame, windowUpdateFrame } from "../../../src/h2/frames/control_frames.ts";
import { clientPreface, frameFlag, frameType, settingId } from "../../../src/h2/frames/frame.ts";
import { encodeHeaders } from "../../../src/h2/hpack/header_encoder.ts";
import type { HeaderField } from "../../../src/h2/hpack/header_table.ts";
import { helloFrame, linkProtocol } from "../../../src/wire/link_frame.ts";
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
export type Act = (flood: Flood) => Promise<void>;

/** The connections of one flood, and what they brought. */
export class Flood {
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

export const { endHeaders, endStream } = frameFlag;
export const preface = concat(
  clientPreface,
  settingsFrame([[settingId.initialWindowSize, 1 << 24]]),
  windowUpdateFrame(0, 1 << 30),
);

export const request = (path: string): HeaderField[] =>
  callHeaders.map(([name, value]) => [name, name === ":path" ? path : value]);

/** HTTP/2 requests without an end, each of the same frames. */
export function requests(frames: (streamId: number) => Uint8Array, reads: boolean): Act {
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

export function call(fields: readonly HeaderField[]): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  return (id) =>
    concat(frame(frameType.headers, endHeaders, id, block), frame(frameType.data, endStream, id, "0000000000"));
}

export function headersOnly(fields: readonly HeaderField[]): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  return (id) => frame(frameType.headers, endHeaders | endStream, id, block);
}

/** A header whose value is 15,000 bytes of the shortest Huffman code: 24,000 characters, each a walk of its own. */
export const huffmanValue = concat(
  Uint8Array.of(0x00, 1, 0x78),
  Uint8Array.of(0xff, 0x99, 0x74),
  new Uint8Array(15_000),
);

/** Frames on a direct link, again and again, behind what comes first. */
export function linkFrames(first: Uint8Array, frames: Uint8Array): Act {
  const batch = concat(...Array.from({ length: Math.ceil(65_536 / frames.length) }, () => frames));
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(linkProtocol);
      if (first.length > 0 && !await flood.write(conn, first)) return;
      while (await flood.write(conn, batch));
    });
}

/** So many connections at once, each of which does the same. */
export function many(count: number, act: Act): Act {
  return async (flood) => void await Promise.all(Array.from({ length: count }, () => act(flood)));
}

/** Text, and what it is written with again and again. */
export function text(first: string, rest: string, reads = false, protocol = "http/1.1"): Act {
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
export function waits(first: Uint8Array, protocol = "h2"): Act {
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(protocol);
      if (first.length > 0 && !await flood.write(conn, first)) return;
      await flood.ends(conn);
    });
}

/** DATA frames of a body, without an end. */
export function body(streamId: number, bytes: Uint8Array): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 16_384) {
    frames.push(frame(frameType.data, 0, streamId, bytes.subarray(at, at + 16_384)));
  }
  return concat(...frames);
}

/** A request with a body that goes on for so many bytes and has no end. */
export function unended(
  fields: readonly HeaderField[],
  first: string,
  bytes: number,
): (streamId: number) => Uint8Array {
  const block = encodeHeaders(fields);
  const whole = concat(Uint8Array.fromHex(first), new Uint8Array(bytes));
  return (id) => concat(frame(frameType.headers, endHeaders, id, block), body(id, whole));
}

/** Half a gigabyte of zeros, which are half a megabyte in gzip, as one message. */
export async function gzipBomb(): Promise<Uint8Array> {
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
export function streams(count: number, fields: (at: number) => readonly HeaderField[], after = new Uint8Array(0)): Act {
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
export function comesAndGoes(agentId: () => string): Act {
  return (flood) =>
    flood.again(async () => {
      using conn = await flood.open(linkProtocol);
      await flood.write(conn, helloFrame({ agentid: agentId(), agentidentifiers: "" }));
      await conn.read(new Uint8Array(100));
    });
}
