import { Buffer } from "node:buffer";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { owned, ownerOf } from "../../faults/owned.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { wordsOf } from "../attempts_error.ts";
import { connectTo } from "../connector.ts";
import type { DialContext } from "../dial.ts";
import { connectSecure, type ExplicitTls, handshake } from "../secure_connect.ts";
import { type AnswerFault, ConnectAnswerError, type ConnectAnswerHead, ConnectAnswerReader } from "./connect_answer.ts";
import type { HttpProxy } from "./http_proxy.ts";

/**
 * Why a proxy has made no connection:
 * - `unreachable`: the proxy itself cannot be connected to, or its certificate is refused
 * - `refused`: it answered with another status than 200
 * - `malformed`: what it sent is no answer
 * - `closed`: the connection ended before it answered
 * - `timeout`: it did not answer in time
 */
export type ProxyTunnelErrorCode = "unreachable" | "refused" | "malformed" | "closed" | "timeout";

/** A proxy has made no connection. The message names the proxy and what it did, never user or password. */
export class ProxyTunnelError extends Error {
  override readonly name = "ProxyTunnelError";
  readonly code: ProxyTunnelErrorCode;

  constructor(code: ProxyTunnelErrorCode, proxy: HttpProxy, what: string, options?: ErrorOptions) {
    super(`proxy ${proxy.shown} ${what}`, options);
    this.code = code;
  }
}

/** The handshake with a host behind a proxy has failed. Who answers there is the proxy's choice, hence the message names it. */
export class BehindProxyError extends Error {
  override readonly name = "BehindProxyError";
  /** Of node:tls's error. */
  readonly code: string | undefined;

  constructor(proxy: HttpProxy, cause: Error) {
    super(`${wordsOf(cause)} (through proxy ${proxy.shown})`, { cause });
    const code: unknown = Reflect.get(cause, "code");
    this.code = typeof code === "string" ? code : undefined;
  }
}

/** How long the head of an answer may be, in bytes. */
export const maxHeadBytes = 16_384;

/** How a tunnel is made. */
export interface TunnelOptions {
  /** How long the proxy may take, from its name to the end of its answer, in milliseconds; 15 s by default. */
  readonly answerMs?: number;
}

/** Less than what a link may take for its connection, so that the proxy is named where it is the proxy that hangs. */
const defaultAnswerMs = 15_000;

/**
 * Has a proxy connect to a host, which is left to the proxy to resolve.
 * @returns the connection, paused, with no listener for errors; what the proxy sent behind its answer is the first to be read
 * @throws {ProxyTunnelError} the signal's reason when it aborts; a TypeError where the host cannot be sent
 */
export async function openTunnel(
  proxy: HttpProxy,
  host: string,
  port: number,
  signal: AbortSignal,
  context: DialContext,
  { answerMs = defaultAnswerMs }: TunnelOptions = {},
): Promise<Socket> {
  signal.throwIfAborted();
  const request = requestText(proxy, formatHostPort(host, port));
  const attempt = new AbortController();
  const owner = ownerOf("dial", (error) => attempt.abort(error));
  const onAbort = owned(owner, () => attempt.abort(signal.reason));
  signal.addEventListener("abort", onAbort);
  let reached = false;
  const late = context.clock.after(answerMs, () => {
    const what = reached ? "did not answer" : "could not be connected to";
    attempt.abort(new ProxyTunnelError("timeout", proxy, `${what} within ${answerMs / 1000} s`));
  }, owner);
  try {
    const socket = await reach(proxy, attempt.signal, context);
    reached = true;
    await ask(socket, proxy, request, attempt.signal);
    return socket;
  } finally {
    late.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Has a proxy connect to a host, and makes TLS with that host.
 * @param tls as for {@link connectSecure}
 * @returns a socket whose handshake is done; errors on it end nothing until its owner listens
 * @throws {ProxyTunnelError} {@link BehindProxyError} where the handshake with the host failed; the signal's reason when it aborts
 */
export async function connectSecureThrough(
  proxy: HttpProxy,
  host: string,
  port: number,
  tls: ExplicitTls,
  signal: AbortSignal,
  context: DialContext,
  options?: TunnelOptions,
): Promise<TLSSocket> {
  const below = await openTunnel(proxy, host, port, signal, context, options);
  const socket = connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, socket: below });
  // Its owner comes later, and an error that nobody listens for would end the process.
  socket.on("error", () => {});
  socket.once("close", () => below.destroy());
  const error = await handshake(socket, signal, undefined);
  if (error !== undefined) throw new BehindProxyError(proxy, error);
  return socket;
}

async function reach(proxy: HttpProxy, signal: AbortSignal, context: DialContext): Promise<Socket> {
  const { host, port } = proxy;
  try {
    if (!proxy.secure) {
      const { socket } = await connectTo({ host, port, family: 0 }, (to) => connect(to), signal, context);
      return socket;
    }
    const socket = await connectSecure(host, port, verifiedServer(undefined), signal, context);
    withReadBackpressure(socket);
    return socket;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const cause = error instanceof Error ? error : new Error(String(error));
    throw new ProxyTunnelError("unreachable", proxy, `cannot be connected to: ${wordsOf(cause)}`, { cause });
  }
}

function ask(socket: Socket, proxy: HttpProxy, request: ConnectText, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
      act();
    };
    const fail = (error: unknown) => {
      socket.destroy();
      settle(() => reject(error));
    };
    const owner = ownerOf("dial", fail);
    const reader = new ConnectAnswerReader(maxHeadBytes);
    const onData = owned(owner, (chunk: Uint8Array) => {
      let head: ConnectAnswerHead | undefined;
      try {
        head = reader.push(chunk);
      } catch (error) {
        if (!(error instanceof ConnectAnswerError)) throw error;
        // Not its cause, nor its message: a proxy may send back what it was sent, with the password.
        return fail(new ProxyTunnelError("malformed", proxy, faults[error.fault]));
      }
      if (head === undefined) return;
      if (head.status !== 200) {
        const what = `answered ${shown(head, proxy)} when it was asked for ${request.authority}`;
        return fail(new ProxyTunnelError("refused", proxy, what));
      }
      socket.pause();
      settle(resolve);
      if (head.rest.length > 0) socket.unshift(Buffer.from(head.rest));
    });
    const onEnd = owned(owner, () => {
      fail(new ProxyTunnelError("closed", proxy, "closed the connection before it answered"));
    });
    const onError = owned(owner, (cause: Error) => {
      fail(
        new ProxyTunnelError("closed", proxy, `broke the connection before it answered: ${wordsOf(cause)}`, { cause }),
      );
    });
    const onAbort = owned(owner, () => fail(signal.reason));
    signal.addEventListener("abort", onAbort);
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
    if (signal.aborted) return onAbort();
    socket.setNoDelay(true);
    socket.write(request.text);
  });
}

const faults: Readonly<Record<AnswerFault, string>> = {
  "not-http": "answered with something that is no HTTP/1.1",
  "too-large": `answered with a head of more than ${maxHeadBytes} bytes`,
  "bad-header": "answered with a header that is none",
  "switching": "answered with 101 Switching Protocols, which nobody asked for",
};

/** Status and reason for messages, what is no plain text left out; without a reason that repeats user or password. */
function shown({ status, reason }: ConnectAnswerHead, proxy: HttpProxy): string {
  if (repeatsUser(reason, proxy)) return String(status);
  return `${status} ${reason.replace(/[^\x20-\x7e]/g, "").trim().slice(0, 100)}`.trim();
}

/** A proxy may send back what it was sent: the header, or what it has decoded of it, also a part. */
function repeatsUser(reason: string, { authorization }: HttpProxy): boolean {
  if (authorization === undefined) return false;
  const encoded = authorization.replace(/^Basic /, "");
  const pair = Buffer.from(encoded, "base64").toString("latin1");
  const password = pair.slice(pair.indexOf(":") + 1);
  return /\bbasic\b|proxy-authorization/i.test(reason) ||
    [encoded, pair, password].some((secret) => secret !== "" && reason.includes(secret));
}

/** A request for CONNECT. */
interface ConnectText {
  readonly authority: string;
  readonly text: string;
}

function requestText({ authorization }: HttpProxy, authority: string): ConnectText {
  // A line break would be a header of its own.
  if (!/^[\x21-\x7e]+$/.test(authority)) throw new TypeError(`${JSON.stringify(authority)} is no address`);
  const user = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  return {
    authority,
    text: `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: konnectivity\r\n${user}\r\n`,
  };
}
