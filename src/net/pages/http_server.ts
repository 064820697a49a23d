import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { bareHost, formatHostPort } from "../../wire/destination/host_port.ts";
import { fault } from "../../faults/fault.ts";
import { connectionOwner, follow, guard, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import type { Admission } from "../edge/accepting.ts";
import { edgeLimits } from "../edge/edge_limits.ts";
import { closingAnswer, type RefusedClient, RefusedClients } from "../edge/refused_client.ts";
import { listen, stopListening } from "../tcp/listen.ts";
import { requestFaultOf } from "../edge/request_fault.ts";
import { rawRequest } from "../http_connect/raw_request.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Where an HTTP server listens. */
export interface HttpAddress {
  /** Empty: every address of the machine. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** An HTTP server that is open. */
export interface HttpServer extends AsyncDisposable {
  /** The port that was chosen. */
  readonly port: number;
  /** Fulfilled when the server is closed. Never rejects. */
  readonly closed: Promise<void>;
  /** Takes no new requests, lets those in progress end for `graceMs` milliseconds, and drops the rest. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

/** A Fetch handler, such as a Hono app's `fetch`; of the request it gets `method`, `url`, `headers` and `signal`. */
export type HttpHandler = (request: Request) => Response | Promise<Response>;

const defaultGraceMs = 1_000;

/**
 * Serves pages for operators: health, metrics, admin. On node:http like every other listener, and not on the runtime's own
 * server (`Deno.serve` of 2.9.6), which ends for good when one accept fails, ends the process with it where nobody handles
 * that, and bounds neither its connections nor the time that a client takes to send a request.
 * @throws {ListenError} naming the address and the cause
 */
export async function serveHttp(
  address: HttpAddress,
  fetch: HttpHandler,
  clock: Clock,
  admission?: Admission,
): Promise<HttpServer> {
  const server = createServer({
    headersTimeout: edgeLimits.requestHeadTimeoutMs,
    requestTimeout: edgeLimits.requestHeadTimeoutMs,
    connectionsCheckingInterval: edgeLimits.requestHeadTimeoutMs,
    keepAliveTimeout: edgeLimits.idleRequestConnectionMs,
    maxHeaderSize: edgeLimits.requestHeadBytes,
    noDelay: true,
    // requestFaultOf says what a request needs: one of version 1.0 no Host header.
    requireHostHeader: false,
  });
  const inProgress = new Set<Promise<void>>();
  const sockets = new Set<Socket>();
  let closing: Promise<void> | undefined;
  const closed = Promise.withResolvers<void>();
  server.on(
    "connection",
    ownedBy(connectionOwner, (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", () => {});
    }),
  );
  // What is not served as it stands is the last that is read of its connection, and not for long: the port is open to
  // whoever reaches the machine, and what a few of them send would keep the tunnels from being read.
  const refused = new RefusedClients(clock, () => {});
  server.on(
    "clientError",
    (_error: Error, socket: Socket) =>
      guard(connectionOwner(socket), () => refused.refuse(socket)?.answer(plainAnswer(400, ""))),
  );
  const start = (work: Promise<void>) => {
    const done = work.finally(() => inProgress.delete(done));
    inProgress.add(done);
  };
  /** The answer that each connection waits for. */
  const answers = new WeakMap<Socket, ServerResponse>();
  const onRequest = (message: IncomingMessage, answer: ServerResponse) => {
    const { socket } = message;
    const before = answers.get(socket);
    if (before !== undefined && !before.writableFinished) return dropPipelined(refused, message, before);
    const wrong = requestFaultOf(message);
    if (wrong !== undefined) {
      return refused.refuse(socket, message)?.answer(plainAnswer(wrong.status, `${wrong.status} ${wrong.reason}\n`));
    }
    if (closing === undefined && hasBody(message)) {
      const client = refused.refuse(socket, message);
      if (client !== undefined) start(answerLast(fetch, message, client, urlOf(message)));
      return;
    }
    answers.set(socket, answer);
    if (closing === undefined) return start(respond(fetch, message, answer));
    answer.writeHead(503, { "content-type": "text/plain; charset=utf-8", "connection": "close" });
    answer.end("503 shutting down\n");
  };
  // Without a listener the runtime asks for a body that nobody wants, or answers what it does not expect by itself.
  for (const event of ["request", "checkContinue", "checkExpectation"]) {
    server.on(
      event,
      (message: IncomingMessage, answer: ServerResponse) =>
        guard(connectionOwner(message.socket), () => onRequest(message, answer)),
    );
  }
  // There is nothing here to connect to; whoever asks is answered as the application answers.
  server.on("connect", (message: IncomingMessage, socket: Socket) =>
    guard(connectionOwner(socket), () => {
      const client = refused.refuse(socket);
      if (client !== undefined) start(answerLast(fetch, message, client, "http://localhost/"));
    }));
  const tcp = { kind: "tcp", host: bareHost(address.host), port: address.port } as const;
  const listening = await listen(server, tcp, admission).catch((error: unknown) => {
    // A server that never listened looks after connections all the same, by a timer of its own.
    server.close();
    throw error;
  });
  server.once("close", () => closed.resolve());
  const end = async (graceMs: number) => {
    const inTime = await endsWithin(inProgress, graceMs, clock);
    stopListening(server, listening);
    // What is idle, slow with its request, or did not end in time. An answer that was just ended is still on its way.
    for (const socket of sockets) inTime ? socket.destroySoon() : socket.destroy();
    await closed.promise;
  };
  const close = (graceMs = defaultGraceMs) => closing ??= end(graceMs);
  return {
    port: listening.kind === "tcp" ? listening.port : 0,
    closed: closed.promise,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

/** Whether a request has a body, which nothing here reads. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/**
 * Ends a connection behind the answer that it waits for, since its client has sent more requests without one. Thousands of
 * them are in one chunk, and their answers would all be made at once and held until they are read. No client of these
 * ports does it; who does learns from the close that the others were not served (RFC 9112 section 9.3.2).
 */
function dropPipelined(refused: RefusedClients, message: IncomingMessage, before: ServerResponse): void {
  const { socket } = message;
  if (refused.refuse(socket, message) === undefined) return;
  before.shouldKeepAlive = false;
  before.once("finish", owned(connectionOwner(socket), () => socket.destroySoon()));
}

/** Answers the last request of a connection. Never rejects. */
async function answerLast(
  fetch: HttpHandler,
  message: IncomingMessage,
  client: RefusedClient,
  url: string,
): Promise<void> {
  const { socket } = message;
  const gone = new AbortController();
  const onClose = owned(connectionOwner(socket), () => gone.abort(new Error("client hung up")));
  socket.once("close", onClose);
  try {
    client.answer(await closingAnswer(await fetch(rawRequest(message, url, gone.signal)), message.method));
  } catch (error) {
    fault(ownerOf("request"), error);
    client.answer(plainAnswer(500, "500 internal server error\n"));
  } finally {
    socket.removeListener("close", onClose);
  }
}

/** Answers one request. Never rejects. */
async function respond(fetch: HttpHandler, message: IncomingMessage, answer: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const { socket } = message;
  // Not the answer's: a client that leaves while nothing is written to it does not close that on this runtime.
  const onClose = owned(connectionOwner(socket), () => gone.abort(new Error("client hung up")));
  socket.once("close", onClose);
  answer.on("error", () => {});
  // Even the end of no body keeps a connection from the next request until it is read.
  message.resume();
  try {
    const response = await fetch(rawRequest(message, urlOf(message), gone.signal));
    answer.writeHead(response.status, Object.fromEntries(response.headers));
    if (message.method === "HEAD" || response.body === null) {
      await response.body?.cancel();
      answer.end();
    } else {
      // A body that comes piece by piece may let its client wait for the first one.
      if (!response.headers.has("content-length")) answer.flushHeaders();
      await writeBody(response.body, answer, gone.signal);
    }
  } catch (error) {
    // What has a code is an end that somebody named, such as that of a body whose client takes nothing.
    if (Reflect.get(Object(error), "code") === undefined) fault(ownerOf("request"), error);
    if (answer.headersSent) return void answer.destroy();
    answer.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
    answer.end("500 internal server error\n");
  } finally {
    socket.removeListener("close", onClose);
  }
}

/** Writes a body as fast as the client takes it. */
async function writeBody(body: ReadableStream<Uint8Array>, answer: ServerResponse, gone: AbortSignal): Promise<void> {
  const reader = body.getReader();
  const cancel = owned(ownerOf("request"), () => follow(ownerOf("request"), reader.cancel()));
  if (gone.aborted) return cancel();
  gone.addEventListener("abort", cancel);
  // A body that fails while its client takes nothing waits for no client; there is nothing left of it to cancel.
  const fail = owned(ownerOf("request"), () => {
    gone.removeEventListener("abort", cancel);
    answer.destroy();
  });
  reader.closed.catch(fail);
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (!answer.write(piece.value)) await drained(answer, gone);
    }
    answer.end();
  } finally {
    gone.removeEventListener("abort", cancel);
  }
}

function drained(answer: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = owned(ownerOf("request"), () => {
      answer.removeListener("drain", over);
      gone.removeEventListener("abort", over);
      resolve();
    });
    answer.once("drain", over);
    gone.addEventListener("abort", over);
  });
}

function plainAnswer(status: number, body: string): string {
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status} ${
    STATUS_CODES[status] ?? ""
  }\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

/** As the client wrote it; an application that needs its host checks that it makes a URL. */
function urlOf(message: IncomingMessage): string {
  const target = message.url ?? "/";
  if (/^https?:\/\//.test(target)) return target;
  const { localAddress = "localhost", localPort = 80 } = message.socket;
  const host = message.headers.host ?? formatHostPort(localAddress, localPort);
  return `http://${host}${target.startsWith("/") ? target : "/"}`;
}

/** Whether promises, which never reject, are all fulfilled within the limit. */
async function endsWithin(work: Iterable<Promise<void>>, limitMs: number, clock: Clock): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const limit = clock.after(limitMs, () => late.resolve(false), ownerOf("request"));
  const inTime = await Promise.race([Promise.all(work).then(() => true), late.promise]);
  limit.cancel();
  return inTime;
}
