import type { IncomingMessage } from "node:http";

/**
 * What handlers read of a request, made when they ask: a Request of the runtime parses its URL, copies its headers and
 * follows its signal, which is much of the frontend's work for a dial, and forbids the methods CONNECT and TRACE.
 */
class RawRequest {
  readonly #message: IncomingMessage;
  readonly url: string;
  readonly signal: AbortSignal;
  #headers: Headers | undefined;

  constructor(message: IncomingMessage, url: string, signal: AbortSignal) {
    this.#message = message;
    this.url = url;
    this.signal = signal;
  }

  get method(): string {
    return this.#message.method ?? "GET";
  }

  get headers(): Headers {
    if (this.#headers !== undefined) return this.#headers;
    const { rawHeaders } = this.#message;
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
    return this.#headers = headers;
  }
}

/** A message of node:http as a Fetch request: `method`, `url`, `headers` and `signal` of it, and nothing else. */
export function rawRequest(message: IncomingMessage, url: string, signal: AbortSignal): Request {
  return new RawRequest(message, url, signal) as unknown as Request;
}
