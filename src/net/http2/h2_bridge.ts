import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, createServer } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse, OutgoingHttpHeaders } from "node:http2";
import { duplexPair } from "node:stream";
import type { Owner } from "../../faults/fault.ts";
import { connectionOwner, guard, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import { h2Code } from "../../h2/frames/frame.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import type { RequestHeaders } from "../../h2/request_headers.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { setStreamPeer } from "../call/request_peer.ts";
import { endLater } from "../../runtime/http/http2_guard.ts";
import type { H2Stream, H2StreamEnd, H2StreamHandler } from "../../h2/stream.ts";

/** Serves requests as node:http2 hands them out. */
export type Router = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Headers that node:http2 sets itself or does not take. */
const notForwarded: ReadonlySet<string> = new Set(["connection", "host", "http2-settings"]);

/** Names the caller of a request on the connection in memory, by number; what a caller writes there itself is not forwarded. */
const peerHeader = "konnectivity-bridge-peer";

/**
 * Serves what our own HTTP/2 does not: each request goes through a node:http2 connection in memory to the router. The
 * connection is made for the first such request and shared by all.
 */
export class H2Bridge {
  readonly #router: Router;
  #session: ClientHttp2Session | undefined;
  readonly #peers = new Map<string, PeerIdentity>();
  #lastRequest = 0;

  constructor(router: Router) {
    this.#router = router;
  }

  /** Hands a request on, with an authority that makes a URL. */
  handle(stream: H2Stream, headers: RequestHeaders, authority: string, peer: PeerIdentity): void {
    let request: ClientHttp2Stream;
    const number = String(++this.#lastRequest);
    try {
      request = this.#open().request({ ...forwarded(headers, authority), [peerHeader]: number }, {
        endStream: stream.remoteEnded,
      });
    } catch (error) {
      // Headers that node:http2 throws at, such as a name that is no token: here it is the peer's fault, not a caller's.
      if (!isRefusedHeader(error)) throw error;
      stream.respond([[":status", "400"]], true);
      stream.reset(h2Code.noError);
      return;
    }
    this.#peers.set(number, peer);
    request.once("close", owned(ownerOf("request"), () => this.#peers.delete(number)));
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
    server.on(
      "request",
      ownedBy(requestOwner, (request: Http2ServerRequest, response: Http2ServerResponse) => {
        const peer = this.#peers.get(String(request.headers[peerHeader]));
        if (peer !== undefined) setStreamPeer(request.stream, peer);
        this.#router(request, response);
      }),
    );
    server.on("session", ownedBy(connectionOwner, endLater));
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

/** The owner of what a router does with a request: the request's stream, and no other on the connection. */
export function requestOwner(request: Http2ServerRequest): Owner {
  return ownerOf("request", () => request.stream.close(constants.NGHTTP2_INTERNAL_ERROR));
}

/** node:http2 names what it refuses to send; whatever has no such name is a fault of this side. */
function isRefusedHeader(error: unknown): boolean {
  return /^ERR_(?:HTTP2|INVALID|HTTP)_/.test(String(Reflect.get(Object(error), "code")));
}

function forwarded(headers: RequestHeaders, authority: string): OutgoingHttpHeaders {
  const result: OutgoingHttpHeaders = {};
  for (const [name] of headers) {
    if (notForwarded.has(name) || name === peerHeader) continue;
    const values = headers.all(name);
    result[name] = values.length === 1 ? values[0] : [...values];
  }
  result[":authority"] = authority;
  return result;
}

class BridgedRequest implements H2StreamHandler, Owner {
  readonly place = "request";
  readonly #stream: H2Stream;
  readonly #request: ClientHttp2Stream;
  #trailers: readonly HeaderField[] | undefined;

  constructor(stream: H2Stream, request: ClientHttp2Stream) {
    this.#stream = stream;
    this.#request = request;
    request.on("error", () => {});
    request.on(
      "response",
      owned(this, (headers: Readonly<Record<string, unknown>>, flags: number) => {
        stream.respond(fields(headers), (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
      }),
    );
    request.on(
      "data",
      owned(this, (bytes: Uint8Array) => {
        if (!stream.write(bytes)) request.pause();
      }),
    );
    request.on(
      "trailers",
      owned(this, (headers: Readonly<Record<string, unknown>>) => {
        this.#trailers = fields(headers);
      }),
    );
    request.on(
      "end",
      owned(this, () => {
        if (!request.aborted && request.rstCode === constants.NGHTTP2_NO_ERROR) stream.end(this.#trailers);
      }),
    );
    request.on("drain", owned(this, () => stream.resume()));
    request.on(
      "close",
      owned(this, () => {
        this.#onRequestClose();
        stream.resume();
      }),
    );
    stream.start(this);
  }

  /** {@link Owner}. */
  faulted(): void {
    this.#stream.reset(h2Code.internalError);
    this.#request.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  onData(bytes: Uint8Array): void {
    guard(this, () => {
      if (this.#request.writableEnded || this.#request.destroyed) return;
      if (!this.#request.write(bytes)) this.#stream.pause();
    });
  }

  onDrain(): void {
    guard(this, () => this.#request.resume());
  }

  onEnd(): void {
    guard(this, () => {
      if (!this.#request.writableEnded && !this.#request.destroyed) this.#request.end();
    });
  }

  onClose(end: H2StreamEnd): void {
    guard(this, () => {
      if (end.kind !== "ended") this.#request.close(constants.NGHTTP2_CANCEL);
    });
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
