import type { IncomingMessage } from "node:http";

/**
 * A request whose method the Fetch API forbids (CONNECT, TRACE): the getter says what the constructor must not be told.
 * Handlers read `method`, `url` and `headers`; cloning the request would lose the method.
 */
class RawRequest extends Request {
  readonly #method: string;

  constructor(url: string, init: RequestInit, method: string) {
    super(url, init);
    this.#method = method;
  }

  override get method(): string {
    return this.#method;
  }
}

/** A message of node:http as a Fetch request without its body. */
export function rawRequest(message: IncomingMessage, url: string, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    headers.append(message.rawHeaders[i] ?? "", message.rawHeaders[i + 1] ?? "");
  }
  return new RawRequest(url, { headers, signal }, message.method ?? "GET");
}
