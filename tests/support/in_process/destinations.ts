import { Buffer } from "node:buffer";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";

/** What {@link bannerDestination} says before it has read anything. */
export const bannerText = "220 the destination speaks first\r\n";

/** Something to tunnel to, on 127.0.0.1. */
export interface Destination extends AsyncDisposable {
  readonly port: number;
  /** host:port */
  readonly address: string;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that were ever accepted. */
  readonly accepted: number;
}

/** What one connection brought to a {@link CollectDestination}. */
export interface Collected {
  /** Bytes after the size line. */
  readonly bytes: number;
  /** As many as announced, each the right one. */
  readonly intact: boolean;
}

/** A destination that only takes, and tells its owner what came. */
export interface CollectDestination extends Destination {
  /** One entry for each connection that has ended. */
  readonly collected: readonly Collected[];
}

let pattern = Buffer.alloc(0);

/** The bytes of every large transfer: a function of the offset alone, so that both ends know them. */
export function patternBytes(size: number): Buffer {
  if (pattern.length < size) {
    pattern = Buffer.alloc(size);
    for (let at = 0; at < size; at++) pattern[at] = (at ^ (at >> 8) ^ (at >> 16)) & 0xff;
  }
  return pattern.subarray(0, size);
}

/** Sends back what it gets; ends after its peer has ended. @param host an address to listen at, instead of 127.0.0.1 */
export function echoDestination(host?: string): Promise<Destination> {
  return destination((socket) => socket.pipe(socket), host);
}

/** Says {@link bannerText} at once, then echoes. */
export function bannerDestination(): Promise<Destination> {
  return destination((socket) => {
    socket.write(bannerText);
    socket.pipe(socket);
  });
}

/** Reads "N\n", sends N bytes of the pattern and ends. */
export function sourceDestination(): Promise<Destination> {
  return destination((socket) => {
    readSize(socket, (size) => {
      socket.end(patternBytes(size));
      socket.resume();
    });
  });
}

/** Reads "N\n" and N bytes of the pattern, answers "N ok\n" or "N bad at OFFSET\n", and waits for its peer to end. */
export function sinkDestination(): Promise<Destination> {
  return destination((socket) => {
    readSize(socket, (size, rest) => {
      const check = new PatternCheck(size);
      const take = (chunk: Buffer) => {
        check.take(chunk);
        if (check.complete) socket.write(check.badAt < 0 ? `${size} ok\n` : `${size} bad at ${check.badAt}\n`);
      };
      socket.on("end", () => socket.end());
      socket.on("data", take);
      if (rest.length > 0) take(rest);
    });
  });
}

/** Reads "N\n" and everything after it, never answers. */
export async function collectDestination(): Promise<CollectDestination> {
  const collected: Collected[] = [];
  const inner = await destination((socket) => {
    readSize(socket, (size, rest) => {
      const check = new PatternCheck(size);
      check.take(rest);
      socket.on("data", (chunk: Buffer) => check.take(chunk));
      socket.on("end", () => socket.end());
      socket.on("close", () => {
        collected.push({ bytes: check.bytes, intact: check.complete && check.badAt < 0 });
      });
    });
  });
  return Object.defineProperty(inner, "collected", { value: collected }) as CollectDestination;
}

/** Talks without end, a piece at a time, and leaves when its peer ends, as kubelet does with the followers of a log. */
export function talkingDestination(pieceBytes: number): Promise<Destination> {
  return destination((socket) => {
    socket.on("end", () => socket.destroy()).resume();
    const talk = setInterval(() => {
      if (socket.writableLength === 0) socket.write(new Uint8Array(pieceBytes));
    }, 5);
    socket.on("close", () => clearInterval(talk));
  });
}

/** Answers every HTTP request with 200 and "hello". */
export function httpDestination(): Promise<Destination> {
  const server = createHttpServer((_, response) => response.end("hello"));
  return serve(server, () => {});
}

/** A port that refuses connections: no program is given it by the system, as one that was free a moment ago may be. */
export function refusingAddress(): Promise<string> {
  return Promise.resolve("127.0.0.1:1");
}

/** Compares what arrives with the pattern. */
class PatternCheck {
  readonly #expected: Buffer;
  #bytes = 0;
  #badAt = -1;

  constructor(size: number) {
    this.#expected = patternBytes(size);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** As many bytes as expected, no more. */
  get complete(): boolean {
    return this.#bytes === this.#expected.length;
  }

  /** Offset of the chunk that was wrong, or -1. */
  get badAt(): number {
    return this.#badAt;
  }

  take(chunk: Buffer): void {
    const expected = this.#expected.subarray(this.#bytes, this.#bytes + chunk.length);
    if (this.#badAt < 0 && !chunk.equals(expected)) this.#badAt = this.#bytes;
    this.#bytes += chunk.length;
  }
}

function readSize(socket: Socket, then: (size: number, rest: Buffer) => void): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const at = head.indexOf("\n");
    if (at < 0) return;
    socket.off("data", onData);
    then(Number(head.subarray(0, at).toString()), head.subarray(at + 1));
  };
  socket.on("data", onData);
  socket.on("end", () => {
    if (!head.includes("\n")) socket.end();
  });
}

function destination(talk: (socket: Socket) => void, host?: string): Promise<Destination> {
  return serve(createServer({ allowHalfOpen: true }), talk, host);
}

async function serve(server: Server, talk: (socket: Socket) => void, host = "127.0.0.1"): Promise<Destination> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket) => {
    accepted++;
    sockets.add(socket);
    // A tunnel may end by a reset at any time.
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    talk(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  const { port } = bound;
  return {
    port,
    address: `${host}:${port}`,
    get open() {
      return sockets.size;
    },
    get accepted() {
      return accepted;
    },
    [Symbol.asyncDispose]: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

/** One destination of every kind. */
export interface Destinations extends AsyncDisposable {
  readonly echo: Destination;
  readonly banner: Destination;
  readonly source: Destination;
  readonly sink: Destination;
  readonly collect: CollectDestination;
  readonly http: Destination;
  /** host:port that nothing listens at. */
  readonly refused: string;
  /** Connections that are open now, over all of them. */
  readonly open: number;
}

/** Starts one destination of every kind. */
export async function startDestinations(): Promise<Destinations> {
  const all = {
    echo: await echoDestination(),
    banner: await bannerDestination(),
    source: await sourceDestination(),
    sink: await sinkDestination(),
    collect: await collectDestination(),
    http: await httpDestination(),
  };
  return {
    ...all,
    refused: await refusingAddress(),
    get open() {
      return Object.values(all).reduce((sum, one) => sum + one.open, 0);
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of Object.values(all)) await one[Symbol.asyncDispose]();
    },
  };
}
