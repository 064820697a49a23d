import type { IncomingMessage } from "node:http";

/** Why a request is not served as it stands, and with what status. */
export interface RequestFault {
  readonly status: 400 | 431 | 505;
  readonly reason: string;
}

/** Headers of one request at most; the runtime drops those beyond 2,000 without a word. */
export const maxRequestHeaders = 200;

/**
 * What the runtime's parser lets pass and must not be served: requests that another server or proxy on the way could read
 * otherwise (RFC 9112, sections 3.2, 6 and 2.5), so that one request would carry a second, or name two hosts.
 */
export function requestFaultOf({ method, httpVersion, rawHeaders }: IncomingMessage): RequestFault | undefined {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return { status: 505, reason: "HTTP version not supported" };
  if (rawHeaders.length > 2 * maxRequestHeaders) {
    return { status: 431, reason: `request has more than ${maxRequestHeaders} headers` };
  }
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase();
    if (name === "host") hosts++;
    if (method !== "CONNECT") continue;
    // What follows a CONNECT is the tunnel's; a request that says otherwise is one of two.
    if (name === "transfer-encoding") return { status: 400, reason: "CONNECT has no body, but a Transfer-Encoding" };
    if (name === "content-length" && !/^0+$/.test(rawHeaders[at + 1] ?? "")) {
      return { status: 400, reason: "CONNECT has no body, but a Content-Length" };
    }
  }
  if (hosts > 1) return { status: 400, reason: "request has more than one Host header" };
  // A CONNECT names its destination twice; like the original, this side takes one without a Host.
  if (hosts === 0 && httpVersion === "1.1" && method !== "CONNECT") {
    return { status: 400, reason: "request has no Host header" };
  }
  return undefined;
}

/** The status that tells a peer why the runtime took its request for none: it was too large, too slow, or no HTTP. */
export function brokenRequestStatus(error: Error): 400 | 408 | 431 {
  const code: unknown = Reflect.get(error, "code");
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}
