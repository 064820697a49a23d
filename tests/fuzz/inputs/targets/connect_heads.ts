import { ConnectError } from "@connectrpc/connect";
import { Server } from "node:http";
import { listenConnect } from "../../../../src/net/http_connect/connect_listener.ts";
import { RequestMessage } from "../../../../src/net/call/request_message.ts";
import { soundAuthority } from "../../../../src/net/call/request_target.ts";
import type { ByteStream } from "../../../../src/streams/byte_stream.ts";
import { VirtualClock } from "../../../support/fakes/virtual_clock.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf, joined } from "./chunks.ts";
import { MemorySocket, streamTurns } from "./memory_socket.ts";
import { attempt, holds, latin1Of, textOf } from "./texts.ts";

/** A tunnel that says back what it is sent. */
function echo(client: ByteStream): void {
  client.start({
    onData: (bytes) => void client.write(bytes),
    onDrain: () => {},
    onEnd: () => client.end(),
    onClose: () => {},
  });
}

/** It is turned behind each connection, so that deadlines which were cancelled are forgotten. */
const clock = new VirtualClock();

/** The server of a CONNECT listener, which is given its connections here. */
async function connectServer(): Promise<Server> {
  const { listen } = Server.prototype;
  let server: Server | undefined;
  // The listener hands its server to nobody else.
  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    server = this;
    return Reflect.apply(listen, this, args) as Server;
  } as typeof listen;
  const listener = await listenConnect({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    clock,
    fetch: (request, bindings) => {
      if (request.method !== "CONNECT") return new Response("only CONNECT\n", { status: 405 });
      bindings.tunnel = echo;
      return new Response(null, { status: 200 });
    },
    onConnectionError: () => {},
  }).finally(() => Server.prototype.listen = listen);
  listener.drain();
  if (server === undefined) throw new Error("the listener has no server");
  return server;
}

let serving: Promise<Server> | undefined;

async function answerTo(chunks: readonly Uint8Array[]): Promise<string> {
  const server = await (serving ??= connectServer());
  const socket = new MemorySocket();
  server.emit("connection", socket.asSocket);
  for (const chunk of chunks) socket.receive(chunk);
  socket.receiveEnd();
  for (let turn = 0; turn < 20 && !socket.writableFinished && !socket.destroyed; turn++) await streamTurns(1);
  socket.destroy();
  await streamTurns(1);
  clock.advance(3_600_000);
  return latin1Of(joined(socket.written));
}

const established = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** Where a head ends, by the strictest reading and the loosest. */
function headEnds(text: string): number[] {
  const crlf = text.indexOf("\r\n\r\n");
  const bare = /\n\r?\n/.exec(text);
  return [crlf < 0 ? -1 : crlf + 4, bare === null ? -1 : bare.index + bare[0].length].filter((end) => end >= 0);
}

function judge(input: string, answer: string): void {
  if (!answer.startsWith(established)) {
    holds(answer === "" || /^HTTP\/1\.1 [45]\d\d /.test(answer), () => `answer ${JSON.stringify(answer.slice(0, 80))}`);
    const answers = answer.split(/HTTP\/1\.1 \d{3} /).length - 1;
    holds(answers <= 1, () => `${answers} answers on one connection: ${JSON.stringify(answer)}`);
    return;
  }
  const text = input.replace(/^(?:\r?\n)+/, "");
  holds(text.startsWith("CONNECT "), () => "what opens a tunnel is a CONNECT");
  const behind = answer.slice(established.length);
  const ends = headEnds(text);
  holds(ends.some((end) => text.slice(end) === behind), () => `the tunnel had ${JSON.stringify(behind.slice(0, 60))}`);
  const head = text.slice(0, Math.max(...ends)).toLowerCase();
  holds(!/\n\s*transfer-encoding\s*:/.test(head), () => "a CONNECT with a body opens no tunnel");
  holds((head.match(/\nhost:/g) ?? []).length <= 1, () => "a CONNECT of two hosts opens no tunnel");
}

/** Heads of the HTTP CONNECT frontend, by the runtime's parser, and what its tunnels carry. */
export const connectHeads: FuzzTarget = {
  name: "connect-heads",
  modules: ["src/net/http_connect/", "src/net/edge/", "src/net/tcp/socket_stream.ts"],
  seeds: [
    "CONNECT web.example:443 HTTP/1.1\r\nHost: web.example:443\r\n\r\nhello",
    "CONNECT [fd00::1]:443 HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "CONNECT a:1 HTTP/1.1\nHost: a\nX: y\r\n z\r\n\r\n",
  ],
  dictionary: [
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 0\r\n",
    "Host: b\r\n",
    "\r\n\r\n",
    "CONNECT ",
    " HTTP/1.1\r\n",
  ],
  maxWork: (bytes) => 100_000 + 3000 * bytes,
  largeBytes: 40 * 1024,
  // A bare server of node:http keeps a hundred or more of each of the two connections (2.9.6).
  keptBytes: 500,
  async run(input) {
    const text = latin1Of(input);
    judge(text, await answerTo([input]));
    judge(text, await answerTo(chunksOf(input)));
  },
};

const mostMessageBytes = 64;

function messageIn(chunks: readonly Uint8Array[]): string {
  const reader = new RequestMessage(mostMessageBytes);
  for (const chunk of chunks) {
    const message = attempt(() => reader.push(chunk), ConnectError);
    if (message instanceof Error) return message.message;
    if (message !== undefined) return message.toHex();
  }
  return reader.incomplete.message;
}

/** The one message of a request over gRPC. */
export const requestMessages: FuzzTarget = {
  name: "request-messages",
  modules: ["src/net/call/request_message.ts"],
  seeds: [Uint8Array.of(0, 0, 0, 0, 3, 1, 2, 3), Uint8Array.of(1, 0, 0, 0, 1, 1), Uint8Array.of(0, 0, 0, 1, 0, 1), ""],
  maxBytes: 100,
  run(input) {
    const [whole, cut] = [messageIn([input]), messageIn(chunksOf(input))];
    holds(whole === cut, () => `a message does not depend on its chunks\n${whole}\n${cut}`);
  },
};

/** What requests over HTTP/2 say that they want. */
export const requestTargets: FuzzTarget = {
  name: "request-targets",
  modules: ["src/net/call/request_target.ts"],
  seeds: [
    "POST\nhttp\n%2Ftmp%2Fproxy.sock\n/ProxyService/Proxy",
    "POST\nhttps\nlocalhost:8091\n/a?b#c",
    "GET\nhttp\n[::1]:1\n//x",
  ],
  dictionary: ["99999", "%2f", "@", "\\", "..", "%zz"],
  maxBytes: 160,
  run(input) {
    const [method = "", scheme = "", authority = "", path = ""] = textOf(input).split("\n");
    const sound = soundAuthority({ method, scheme, authority, path });
    if (sound !== undefined) new URL(path, `${scheme}://${sound}`);
  },
};
