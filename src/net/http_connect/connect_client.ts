import { connect, type Socket } from "node:net";
import { dialContext } from "../../dial/connector.ts";
import { connectSecure } from "../../dial/secure_connect.ts";
import { owned, ownerOf } from "../../faults/owned.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { connectFailureText } from "../tcp/dial_failure.ts";
import { ConnectAnswerError, type ConnectAnswerHead, ConnectAnswerReader } from "../../dial/proxy/connect_answer.ts";
import { SocketStream } from "../tcp/socket_stream.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";
import { isTlsFailure } from "../tls/tls_failure.ts";
import type { TlsMaterial } from "../tls/tls_files.ts";

/** Where an HTTP CONNECT proxy is, and how to trust it. */
export type ConnectTarget =
  | {
    readonly kind: "tls";
    readonly host: string;
    readonly port: number;
    readonly tls: TlsMaterial;
    /** Name that the proxy's certificate must carry; the host itself when absent. */
    readonly serverName?: string;
  }
  | { readonly kind: "unix"; readonly path: string };

/** What is asked of the proxy. */
export interface ConnectRequest {
  /** The destination as host:port, an IPv6 host in brackets; no blanks and control characters. */
  readonly authority: string;
  readonly userAgent: string;
}

/** The proxy's answer: a tunnel, or a refusal with its text. */
export type ConnectAnswer =
  | { readonly ok: true; readonly stream: SocketStream }
  | { readonly ok: false; readonly status: number; readonly reason: string; readonly body: string };

/**
 * Why there is no answer:
 * - `unreachable`: no connection to the proxy
 * - `bad-tls`: the handshake failed, or a certificate was refused
 * - `closed`: the proxy closed the connection before it had answered
 * - `malformed`: it answered with something that is not HTTP
 */
export type ConnectFailureCode = "unreachable" | "bad-tls" | "closed" | "malformed";

/** A CONNECT request that got no answer. */
export class ConnectFailure extends Error {
  override readonly name = "ConnectFailure";
  readonly code: ConnectFailureCode;

  constructor(code: ConnectFailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes of a refusal's text that are kept, and how long they may take behind the head. */
const maxBodyBytes = 16 * 1024;
const bodyTimeoutMs = 2_000;

/**
 * Connects to a proxy and asks it for a tunnel; the connection carries just this one.
 * @throws {ConnectFailure} when there is no answer; the signal's reason when it aborts, which drops the connection
 */
export async function openConnect(
  target: ConnectTarget,
  request: ConnectRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<ConnectAnswer> {
  signal.throwIfAborted();
  return await ask(target, await open(target, signal, clock), request, signal, clock);
}

function ask(
  target: ConnectTarget,
  socket: Socket,
  request: ConnectRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<ConnectAnswer> {
  return new Promise((resolve, reject) => {
    let up = target.kind === "tls";
    const head = `CONNECT ${request.authority} HTTP/1.1\r\nHost: ${request.authority}\r\n` +
      `User-Agent: ${request.userAgent}\r\n\r\n`;
    const where = target.kind === "unix" ? target.path : formatHostPort(target.host, target.port);
    const reader = new ConnectAnswerReader();
    const refusal = new Refusal();
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
      refusal.patience?.cancel();
    };
    const fail = (reason: unknown) => {
      settle();
      // A destroyed socket may still report an error, and nobody would be there to take it.
      socket.on("error", () => {});
      socket.destroy();
      reject(reason);
    };
    const owner = ownerOf("dial", fail);
    const finish = owned(owner, () => {
      settle();
      socket.on("error", () => {});
      socket.destroy();
      resolve(refusal.answer);
    });
    const onData = owned(owner, (bytes: Uint8Array) => {
      if (refusal.head !== undefined) {
        if (refusal.push(bytes)) finish();
        return;
      }
      let answered: ConnectAnswerHead | undefined;
      try {
        answered = reader.push(bytes);
      } catch (cause) {
        if (!(cause instanceof ConnectAnswerError)) throw cause;
        return fail(new ConnectFailure("malformed", `${cause.message} (${where})`, { cause }));
      }
      if (answered === undefined) return;
      if (answered.status < 300) {
        settle();
        // Synchronously, so that no byte is read between the two owners.
        resolve({ ok: true, stream: new SocketStream(socket, answered.rest) });
      } else if (refusal.begin(answered)) {
        finish();
      } else {
        refusal.patience = clock.after(bodyTimeoutMs, finish, owner);
      }
    });
    const onEnd = owned(owner, () => {
      if (refusal.head !== undefined) return finish();
      const when = reader.begun ? "within its answer" : "without an answer";
      fail(new ConnectFailure("closed", `proxy at ${where} closed the connection ${when}`));
    });
    const onError = owned(owner, (cause: Error) => {
      if (refusal.head !== undefined) return finish();
      const code = isTlsFailure(cause) ? "bad-tls" : up ? "closed" : "unreachable";
      const what = up ? `proxy at ${where} broke the connection` : `cannot connect to ${where}`;
      fail(new ConnectFailure(code, `${what}: ${connectFailureText(where, cause)}`, { cause }));
    });
    const onAbort = owned(owner, () => fail(signal.reason));
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    if (!up) {
      const onUp = () => void (up = true);
      socket.once("connect", owned(owner, onUp));
    }
    // Written once the connection is up.
    socket.write(head);
  });
}

/** Collects the text of a refusal. */
class Refusal {
  head: ConnectAnswerHead | undefined;
  patience: Deadline | undefined;
  #body: Uint8Array[] = [];
  #bytes = 0;
  #wanted = maxBodyBytes;

  /** Takes the head; true when the text is complete. */
  begin(head: ConnectAnswerHead): boolean {
    this.head = head;
    const length = Number(head.headers.get("content-length") ?? maxBodyBytes);
    if (Number.isSafeInteger(length) && length >= 0) this.#wanted = Math.min(length, maxBodyBytes);
    return this.push(head.rest);
  }

  /** Takes bytes of the text; true when it is complete, or long enough. */
  push(bytes: Uint8Array): boolean {
    const kept = bytes.subarray(0, this.#wanted - this.#bytes);
    this.#body.push(kept);
    this.#bytes += kept.length;
    return this.#bytes >= this.#wanted;
  }

  get answer(): ConnectAnswer {
    const decoder = new TextDecoder();
    const body = this.#body.map((bytes) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode();
    return { ok: false, status: this.head?.status ?? 0, reason: this.head?.reason ?? "", body: body.trim() };
  }
}

/** A socket to the proxy: to a Unix socket it still connects. */
async function open(target: ConnectTarget, signal: AbortSignal, clock: Clock): Promise<Socket> {
  if (target.kind === "unix") return connect({ path: target.path, allowHalfOpen: true });
  try {
    const socket = await connectSecure(
      target.host,
      target.port,
      {
        ...target.tls,
        ...(target.serverName === undefined ? {} : { servername: target.serverName }),
        minVersion: "TLSv1.2",
        ...verifiedServer(target.tls.ca),
        // Taken by tls.connect as by net.connect, though its type does not say so.
        ...{ allowHalfOpen: true },
      },
      signal,
      dialContext("links", clock),
    );
    withReadBackpressure(socket);
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const cause = error instanceof Error ? error : new Error(String(error));
    const where = formatHostPort(target.host, target.port);
    const code = isTlsFailure(cause) ? "bad-tls" : "unreachable";
    throw new ConnectFailure(code, `cannot connect to ${where}: ${connectFailureText(where, cause)}`, { cause });
  }
}
