import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, createServer } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse, OutgoingHttpHeaders } from "node:http2";
import { duplexPair } from "node:stream";
import { h2Code } from "../h2/frame.ts";
import type { HeaderField } from "../h2/header_table.ts";
import type { RequestHeaders } from "../h2/request_headers.ts";
import { endLater } from "./http2_guard.ts";
import type { H2Stream, H2StreamEnd, H2StreamHandler } from "../h2/stream.ts";

/** Serves requests as node:http2 hands them out. */
export type Router = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Headers that node:http2 sets itself or does not take. */
const notForwarded: ReadonlySet<string> = new Set(["connection", "host", "http2-settings"]);

/**
 * Serves what our own HTTP/2 does not: each request goes through a node:http2 connection in memory to the router. The
 * connection is made for the first such request and shared by all.
 */
export class H2Bridge {
  readonly #router: Router;
  #session: ClientHttp2Session | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  handle(stream: H2Stream, headers: RequestHeaders): void {
    let request: ClientHttp2Stream;
    try {
      request = this.#open().request(forwarded(headers), { endStream: stream.remoteEnded });
    } catch {
      // Headers that node:http2 throws at, such as a name that is no token: here it is the peer's fault, not a caller's.
      stream.respond([[":status", "400"]], true);
      stream.reset(h2Code.noError);
      return;
    }
    new BridgedRequest(stream, request);
  }

  close(): void {
    this.#session?.destroy();
  }

  #open(): ClientHttp2Session {
    const open = this.#session;
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const [near, far] = duplexPair();
    const server = createServer();
    server.on("request", this.#router);
    server.on("session", endLater);
    server.on("sessionError", () => {});
    server.emit("connection", far);
    const session = connect("http://bridge", { createConnection: () => near });
    endLater(session);
    // Each request on it learns of its end.
    session.on("error", () => {});
    this.#session = session;
    return session;
  }
}

function forwarded(headers: RequestHeaders): OutgoingHttpHeaders {
  const result: OutgoingHttpHeaders = {};
  for (const [name] of headers) {
    if (notForwarded.has(name)) continue;
    const values = headers.all(name);
    result[name] = values.length === 1 ? values[0] : [...values];
  }
  return result;
}

class BridgedRequest implements H2StreamHandler {
  readonly #stream: H2Stream;
  readonly #request: ClientHttp2Stream;
  #trailers: readonly HeaderField[] | undefined;

  constructor(stream: H2Stream, request: ClientHttp2Stream) {
    this.#stream = stream;
    this.#request = request;
    request.on("error", () => {});
    request.on("response", (headers, flags) => {
      stream.respond(fields(headers), (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    request.on("data", (bytes: Uint8Array) => {
      if (!stream.write(bytes)) request.pause();
    });
    request.on("trailers", (headers) => {
      this.#trailers = fields(headers);
    });
    request.on("end", () => {
      if (!request.aborted && request.rstCode === constants.NGHTTP2_NO_ERROR) stream.end(this.#trailers);
    });
    request.on("drain", () => stream.resume());
    request.on("close", () => {
      this.#onRequestClose();
      stream.resume();
    });
    stream.start(this);
  }

  onData(bytes: Uint8Array): void {
    if (this.#request.writableEnded || this.#request.destroyed) return;
    if (!this.#request.write(bytes)) this.#stream.pause();
  }

  onDrain(): void {
    this.#request.resume();
  }

  onEnd(): void {
    if (!this.#request.writableEnded && !this.#request.destroyed) this.#request.end();
  }

  onClose(end: H2StreamEnd): void {
    if (end.kind !== "ended") this.#request.close(constants.NGHTTP2_CANCEL);
  }

  /** The router is done. What the client still sends is dropped; an answer that was not ended is broken off. */
  #onRequestClose(): void {
    if (this.#stream.ending) return;
    const code = this.#request.rstCode ?? constants.NGHTTP2_NO_ERROR;
    this.#stream.reset(code === constants.NGHTTP2_NO_ERROR ? h2Code.internalError : code);
  }
}

function fields(headers: Readonly<Record<string, unknown>>): HeaderField[] {
  return Object.entries(headers).flatMap(([name, value]): HeaderField[] =>
    Array.isArray(value) ? value.map((one): HeaderField => [name, String(one)]) : [[name, String(value)]]
  );
}
