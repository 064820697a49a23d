import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { once } from "node:events";

/** What was asked. */
export interface Asked {
  /** In lower case, without a final dot. */
  readonly name: string;
  readonly type: "A" | "AAAA" | "other";
  readonly over: "udp" | "tcp";
}

/** A reply: addresses of the type that was asked for, a response code, or oddities. Undefined: silence. */
export type Reply =
  | readonly string[]
  | { readonly code: number }
  | { readonly truncated: true }
  | { readonly bytes: (query: Uint8Array) => Uint8Array }
  | undefined;

export const noSuchName = { code: 3 } as const;
export const serverFailure = { code: 2 } as const;

/** A name server on loopback, over UDP and TCP, that answers as it is told to. */
export class NameServer implements AsyncDisposable {
  readonly port: number;
  readonly address: string;
  /** What was asked, in order. */
  readonly asked: Asked[] = [];
  /** May be replaced at any time. */
  reply: (asked: Asked) => Reply | Promise<Reply>;
  readonly #close: () => Promise<void>;

  private constructor(address: string, port: number, reply: NameServer["reply"], close: () => Promise<void>) {
    this.address = address;
    this.port = port;
    this.reply = reply;
    this.#close = close;
  }

  /** @param port 0: a free one, of UDP and TCP */
  static async listen(reply: NameServer["reply"], address = "127.0.0.1", port = 0): Promise<NameServer> {
    const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
    udp.bind(port, address);
    await once(udp, "listening");
    const own = udp.address().port;
    const tcp = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk: Uint8Array) => {
        void server.#answer(chunk.subarray(2), "tcp").then((bytes) => {
          if (bytes === undefined) return;
          const framed = new Uint8Array(2 + bytes.length);
          new DataView(framed.buffer).setUint16(0, bytes.length);
          framed.set(bytes, 2);
          // In two pieces, as a network may deliver it.
          socket.write(framed.subarray(0, 3));
          socket.write(framed.subarray(3));
        });
      });
    });
    tcp.listen(own, address);
    try {
      await once(tcp, "listening");
    } catch (error) {
      udp.close();
      // Somebody has the port for TCP.
      if (port === 0) return await NameServer.listen(reply, address);
      throw error;
    }
    let open = true;
    const server = new NameServer(address, own, reply, async () => {
      open = false;
      udp.close();
      tcp.close();
      await once(tcp, "close");
    });
    udp.on("message", (query, from) => {
      void server.#answer(query, "udp").then((bytes) => {
        if (bytes !== undefined && open) udp.send(bytes, from.port, from.address);
      });
    });
    return server;
  }

  /** How often a name was asked for. */
  times(name: string): number {
    return this.asked.filter((each) => each.name === name).length;
  }

  async #answer(query: Uint8Array, over: Asked["over"]): Promise<Uint8Array | undefined> {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
    const number = query[at + 2] ?? 0;
    const type = number === 1 ? "A" : number === 28 ? "AAAA" : "other";
    const asked: Asked = { name: labels.join(".").toLowerCase(), type, over };
    this.asked.push(asked);
    const reply = await this.reply(asked);
    if (reply === undefined) return undefined;
    if ("bytes" in reply) return reply.bytes(query);
    const addresses = Array.isArray(reply) ? reply.filter((each) => each.includes(":") === (type === "AAAA")) : [];
    const code = "code" in reply ? reply.code : 0;
    const flags = 0x8180 | ("truncated" in reply ? 0x0200 : 0) | code;
    const head = new Uint8Array(query.subarray(0, at + 5));
    const view = new DataView(head.buffer);
    view.setUint16(2, flags);
    view.setUint16(6, addresses.length);
    view.setUint16(10, 0);
    return joined([head, ...addresses.map(record)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/** A record whose name points at the question's. */
function record(address: string): Uint8Array {
  const data = address.includes(":") ? ipv6Bytes(address) : Uint8Array.from(address.split("."), Number);
  const bytes = new Uint8Array(12 + data.length);
  bytes.set([0xc0, 12, 0, data.length === 4 ? 1 : 28, 0, 1, 0, 0, 0, 5, 0, data.length]);
  bytes.set(data, 12);
  return bytes;
}

function ipv6Bytes(address: string): Uint8Array {
  const [before = "", after = ""] = address.split("::");
  const groups = (text: string) => text === "" ? [] : text.split(":").map((each) => Number.parseInt(each, 16));
  const [left, right] = [groups(before), groups(after)];
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The system's files on names, in a folder of their own. */
export class NameFiles implements Disposable {
  readonly #dir = Deno.makeTempDirSync({ prefix: "names-" });
  readonly hosts = `${this.#dir}/hosts`;
  readonly resolvConf = `${this.#dir}/resolv.conf`;
  readonly nsswitch = `${this.#dir}/nsswitch.conf`;

  constructor(texts: { readonly hosts?: string; readonly resolvConf?: string; readonly nsswitch?: string }) {
    this.write(texts);
  }

  write(texts: { readonly hosts?: string; readonly resolvConf?: string; readonly nsswitch?: string }): void {
    if (texts.hosts !== undefined) Deno.writeTextFileSync(this.hosts, texts.hosts);
    if (texts.resolvConf !== undefined) Deno.writeTextFileSync(this.resolvConf, texts.resolvConf);
    if (texts.nsswitch !== undefined) Deno.writeTextFileSync(this.nsswitch, texts.nsswitch);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}
