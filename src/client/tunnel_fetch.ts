import type { Duplex } from "node:stream";
import { follow, owned, ownerOf } from "../faults/owned.ts";
import { HttpExchange, type IncomingMessage, secure } from "../net/pages/http_exchange.ts";
import { isTlsFailure } from "../net/tls/tls_failure.ts";
import { toDuplex } from "./node_duplex.ts";
import { ProxyError } from "./proxy_error.ts";
import type { Tunnel } from "./tunnel.ts";

/** How an https destination is trusted, as PEM text; without any, by the runtime's own authorities. */
export interface DestinationTls {
  /** Authorities that the destination's certificate must come from, instead of the runtime's own. */
  readonly ca?: string;
  /** Certificate chain that this client shows. */
  readonly cert?: string;
  /** Private key of `cert`. */
  readonly key?: string;
  /** Name that the destination's certificate must carry; the URL's host when absent. */
  readonly serverName?: string;
}

/** What fetch takes, and how to trust an https destination. */
export type TunnelRequestInit = RequestInit & { readonly tls?: DestinationTls };

/** A request with its body: whole where its length is known, else as a stream. */
export interface PreparedRequest {
  readonly request: Request;
  readonly url: URL;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
  readonly tls: DestinationTls;
}

/** Bytes of a response body that are held before the destination is stopped, beside what the tunnel holds. */
const bodyBufferBytes = 64 * 1024;

/**
 * Requests a URL over a tunnel that leads to its host, by HTTP/1.1, https with TLS from end to end.
 *
 * Unlike the platform's fetch it follows no redirect (the 3xx response is returned), asks for no compression and so
 * undoes none, and keeps no cookies or cache. The connection is asked to close after the response unless the headers say
 * `connection: keep-alive`; then the tunnel stays open, though it carries no second request. The response body must be
 * read or cancelled.
 * @throws {ProxyError} `destination-tls`, `bad-http`, or the tunnel's own error; the signal's reason when it aborts
 */
export async function fetchOver(
  tunnel: Tunnel,
  input: Request | URL | string,
  init: TunnelRequestInit = {},
): Promise<Response> {
  return await exchange(tunnel, await prepare(input, init), () => {});
}

/** Checks a request before anything is dialled for it. @throws {TypeError} for what is no http or https request */
export async function prepare(input: Request | URL | string, init: TunnelRequestInit): Promise<PreparedRequest> {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`cannot fetch ${url}: only http and https go through a tunnel`);
  }
  const given = init.body ?? undefined;
  const streams = given === undefined ? input instanceof Request : given instanceof ReadableStream;
  const body = request.body ?? undefined;
  return {
    request,
    url,
    body: body === undefined || streams ? body : new Uint8Array(await request.arrayBuffer()),
    tls: init.tls ?? {},
  };
}

/**
 * Sends a prepared request and resolves with its response.
 * @param onDone called once nothing more is read from or written to the tunnel
 */
export async function exchange(tunnel: Tunnel, prepared: PreparedRequest, onDone: () => void): Promise<Response> {
  const { request, url } = prepared;
  const { signal } = request;
  /** The first cause of a failure, by whichever of the layers below knows it. */
  let first: { readonly error: unknown } | undefined;
  const blame = (error: unknown) => first ??= { error };
  tunnel.closed.catch(blame);
  const socket = toDuplex(tunnel);
  socket.on("error", () => {});
  const owner = ownerOf("request", (error) => socket.destroy(error));
  const onAbort = owned(owner, () => socket.destroy(new Error("aborted", { cause: signal.reason })));
  const finish = owned(owner, () => {
    signal.removeEventListener("abort", onAbort);
    onDone();
  });
  /** What the caller shall see of an error that came up through the layers. */
  const cause = (error: unknown): unknown => signal.aborted ? signal.reason : (first?.error ?? named(error, url));
  signal.addEventListener("abort", onAbort);
  try {
    if (signal.aborted) onAbort();
    const connection = await connectionFor(socket, prepared);
    const http = new HttpExchange(connection, {
      method: request.method,
      target: url.pathname + url.search,
      headers: headersFor(prepared),
    });
    if (prepared.body instanceof ReadableStream) follow(owner, http.stream(prepared.body, blame));
    else http.end(prepared.body);
    const message = await http.response;
    return respond(message, request.method, cause, () => socket.destroy(new Error("response cancelled")), finish);
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(String(error)));
    finish();
    throw cause(error);
  }
}

async function connectionFor(socket: Duplex, { url, tls }: PreparedRequest): Promise<Duplex> {
  if (url.protocol === "http:") return socket;
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  try {
    return await secure(socket, host, tls);
  } catch (error) {
    if (!isTlsFailure(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ProxyError("destination-tls", `TLS with ${url.host} failed: ${why}`, { cause: error });
  }
}

function headersFor({ request, url, body }: PreparedRequest): Record<string, string> {
  const headers: Record<string, string> = {
    host: url.host,
    accept: "*/*",
    "user-agent": "konnectivity-deno",
    connection: "close",
    ...Object.fromEntries(request.headers),
  };
  if (body instanceof Uint8Array) headers["content-length"] = String(body.length);
  else if (body === undefined && ["POST", "PUT", "PATCH"].includes(request.method)) headers["content-length"] = "0";
  return headers;
}

/** Statuses whose responses have no body (Fetch standard, "null body status"). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

function respond(
  message: IncomingMessage,
  method: string,
  cause: (error: unknown) => unknown,
  cancel: () => void,
  finish: () => void,
): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    headers.append(message.rawHeaders[i] ?? "", message.rawHeaders[i + 1] ?? "");
  }
  const status = message.statusCode ?? 0;
  const init = { status, statusText: message.statusMessage ?? "", headers };
  if (method === "HEAD" || bodiless.has(status)) {
    const response = new Response(null, init);
    message.on("error", () => {});
    message.once("close", owned(ownerOf("request"), finish));
    message.resume();
    return response;
  }
  return new Response(bodyOf(message, cause, cancel, finish), init);
}

function bodyOf(
  message: IncomingMessage,
  cause: (error: unknown) => unknown,
  cancel: () => void,
  finish: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  const settle = (act: () => void) => {
    if (over) return;
    over = true;
    act();
    finish();
  };
  return new ReadableStream({
    start(controller) {
      const owner = ownerOf("request", (error) => message.destroy(error));
      const fail = owned(owner, (error: Error) => settle(() => controller.error(cause(error))));
      message.on(
        "data",
        owned(owner, (bytes: Uint8Array) => {
          if (over) return;
          controller.enqueue(new Uint8Array(bytes));
          if ((controller.desiredSize ?? 0) <= 0) message.pause();
        }),
      );
      message.once(
        "end",
        owned(owner, () => {
          if (message.complete) settle(() => controller.close());
          else fail(new Error("the response was cut off"));
        }),
      );
      message.on("error", fail);
      message.once("close", owned(owner, () => fail(new Error("the response was cut off"))));
    },
    pull() {
      message.resume();
    },
    cancel() {
      settle(cancel);
    },
  }, { highWaterMark: bodyBufferBytes, size: (bytes) => bytes.length });
}

function named(error: unknown, url: URL): unknown {
  if (error instanceof ProxyError) return error;
  // What node:http calls a socket that hung up is an end of file to everybody else.
  const hungUp = error instanceof Error && Reflect.get(error, "code") === "ECONNRESET";
  const why = hungUp ? "EOF, the destination hung up" : error instanceof Error ? error.message : String(error);
  return new ProxyError("bad-http", `no complete HTTP response from ${url.host}: ${why}`, { cause: error });
}
