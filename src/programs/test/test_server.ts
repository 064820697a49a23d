import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { follow, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import { rawRequest } from "../../net/http_connect/raw_request.ts";
import { listen } from "../../net/tcp/listen.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { endingSignals } from "../signals.ts";
import type { TestServerOptions } from "./test_options.ts";

const log = getLogger(["test-server"]);

/** Where a test server listens. */
export type TestServerAddress = Pick<TestServerOptions, "bindAddress" | "serverPort">;

/** An http-test-server that accepts connections. */
export interface TestServer extends AsyncDisposable {
  readonly host: string;
  /** The port that was chosen where port 0 was asked for. */
  readonly port: number;
  /** Resolves when the listener and every connection are closed. */
  readonly closed: Promise<void>;
  /** Takes no new connection, and closes each open one after the answer to its request, however long that takes. */
  drain(): void;
  /** Closes everything at once. */
  close(): Promise<void>;
}

/** What a handler may do beside answering: Hono's `c.env`. */
interface Bindings {
  /** Closes the connection without an answer. */
  drop(): void;
}

const successPage = `<!DOCTYPE html>
<html>
    <head>
        <title>Success</title>
    </head>
    <body>
        <p>The success test page!</p>
    </body>
</html>`;
const defaultSleepSeconds = 10;
/** The longest delay of a timer on this runtime; a longer one would fire at once. */
const longestSleepMs = 2 ** 31 - 1;
const headersTimeoutMs = 60_000;
const maxHeaderBytes = 1024 * 1024;

/** The pages of http-test-server. Any method is answered alike. */
export function testServerApp(): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();
  app.all("/success", success);
  app.all("/sleep", async (c) => {
    await sleep(sleepMs(c.req.queries("time") ?? []), c.req.raw.signal);
    return success();
  });
  app.all("/error", () => plain(500, "Internal Server Error\n"));
  app.all("/close", (c) => {
    c.env.drop();
    return c.body(null);
  });
  app.notFound(() => plain(404, "404 page not found\n"));
  return app;
}

/**
 * Starts the pages on an HTTP/1.1 listener. Not `Deno.serve`: that one always answers, and `/close` must not.
 * @throws {ListenError} naming the address and the cause
 */
export async function startTestServer(address: TestServerAddress): Promise<TestServer> {
  const app = testServerApp();
  const server = createServer({ headersTimeout: headersTimeoutMs, maxHeaderSize: maxHeaderBytes, requestTimeout: 0 });
  const closed = Promise.withResolvers<void>();
  let draining = false;
  const requestOwner = ({ socket }: IncomingMessage) => ownerOf("request", () => socket.destroy());
  server.on(
    "request",
    ownedBy(requestOwner, (message: IncomingMessage, answer: ServerResponse) => {
      follow(requestOwner(message), respond(app, message, answer, () => draining));
    }),
  );
  const bound = await listen(server, { kind: "tcp", host: address.bindAddress, port: address.serverPort });
  server.once("close", () => closed.resolve());
  const drain = () => {
    if (draining) return;
    draining = true;
    server.close();
    server.closeIdleConnections();
  };
  const close = () => {
    drain();
    server.closeAllConnections();
    return closed.promise;
  };
  return {
    host: address.bindAddress,
    port: bound.kind === "tcp" ? bound.port : address.serverPort,
    closed: closed.promise,
    drain,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * The program http-test-server: serves until SIGINT or SIGTERM, then answers what is in flight. A second signal ends it
 * at once.
 * @returns its exit code: 0, or 1 when it could not listen or got a second signal
 */
export async function runTestServer(options: TestServerAddress): Promise<number> {
  let server: TestServer;
  try {
    server = await startTestServer(options);
  } catch (error) {
    log.error("failed to run the test server: {reason}", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return 1;
  }
  log.info("serving test pages on {address}", { address: formatHostPort(server.host, server.port) });
  using signals = endingSignals();
  const toldTwice = signals.second.then(() => 1);
  const drained = signals.first.then(async () => {
    log.info("shutting down: waiting for the requests in flight");
    server.drain();
    await server.closed;
    return 0;
  });
  const exitCode = await Promise.race([drained, toldTwice]);
  await server.close();
  return exitCode;
}

function success(): Response {
  return page(200, "text/html; charset=utf-8", successPage);
}

function plain(status: number, text: string): Response {
  return page(status, "text/plain; charset=utf-8", text);
}

/** With its length, so that a HEAD request learns it too. */
function page(status: number, type: string, text: string): Response {
  const length = String(new TextEncoder().encode(text).length);
  return new Response(text, { status, headers: { "content-type": type, "content-length": length } });
}

/** How long `/sleep` sleeps, in milliseconds: one whole number of seconds, or the default. */
function sleepMs(times: readonly string[]): number {
  const [time] = times;
  if (times.length !== 1 || time === undefined || !/^[+-]?\d+$/.test(time)) {
    log.warn("sleep time {times} is not one whole number of seconds: sleeping {seconds} s", {
      times: `[${times.join(" ")}]`,
      seconds: defaultSleepSeconds,
    });
    return defaultSleepSeconds * 1000;
  }
  return Math.min(Math.max(Number(time) * 1000, 0), longestSleepMs);
}

/** Ends early when the client is gone. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = owned(ownerOf("request", () => resolve()), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    });
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

async function respond(
  app: Hono<{ Bindings: Bindings }>,
  message: IncomingMessage,
  answer: ServerResponse,
  isLast: () => boolean,
): Promise<void> {
  const gone = new AbortController();
  answer.once("close", () => gone.abort(new Error("client hung up")));
  answer.on("error", () => {});
  let dropped = false;
  const bindings: Bindings = { drop: () => dropped = true };
  const response = await app.fetch(rawRequest(message, urlOf(message.url ?? "/"), gone.signal), bindings);
  if (dropped) {
    message.socket.destroy();
    return;
  }
  const body = await response.text();
  if (isLast()) response.headers.set("connection", "close");
  answer.writeHead(response.status, Object.fromEntries(response.headers));
  answer.end(body);
}

/** Request targets are a path, a whole URL (what clients send to a proxy) or `*`. */
function urlOf(target: string): string {
  if (target.startsWith("/")) return `http://test-server${target}`;
  return URL.canParse(target) ? target : "http://test-server/";
}
