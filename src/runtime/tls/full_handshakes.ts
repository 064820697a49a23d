import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { type ClientHello, readClientHello } from "./client_hello.ts";

/** Versions of TLS that a handshake may take. */
export interface TlsVersions {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
}

/** The part of a TLS server that {@link alwaysFullHandshakes} needs. */
export interface HandshakeServer {
  listeners(event: "connection"): unknown[];
  removeAllListeners(event: "connection"): unknown;
  on(event: "connection", listener: (socket: Socket) => void): unknown;
  emit(event: "tlsClientError", error: Error, socket: Socket): boolean;
  setSecureContext(options: SecureContextOptions): void;
}

/** What {@link alwaysFullHandshakes} needs to know of a server. */
export interface FullHandshakeOptions {
  /** What the server offers to everybody. */
  readonly versions: TlsVersions;
  /** What the server presents now, in some versions. */
  readonly context: (versions: TlsVersions) => SecureContextOptions;
  /** Calls back when a client has taken too long over its first message, unless it is cancelled before. */
  readonly limit: (socket: Socket, onDue: () => void) => { cancel(): void };
  /** Runs what the runtime calls for a connection; what a step throws must end the connection alone. */
  readonly guard: (socket: Socket, step: () => void) => void;
  /** Takes the answer to a client's first message now, or when it is its turn. @returns what takes it back */
  readonly inTurn: (answer: () => void) => () => void;
  /** A client was sent away because it can only resume. */
  readonly onRefused: (error: Error) => void;
}

/** Fatal alert `handshake_failure` in the clear (RFC 8446 section 6): whoever gets it forgets the session that it offered. */
const handshakeFailure = new Uint8Array([21, 3, 3, 0, 2, 2, 40]);

/** What is held of a client that goes on behind its first message, which no client does, in bytes. */
const mostAheadBytes = 64 * 1024;

/**
 * Keeps a TLS server from resuming sessions. In 2.9.6 all TLS servers of a thread share the key of their session tickets,
 * which nothing turns off or changes, and a resumed session is served without its certificate being verified again: one
 * that was made at another listener, without a certificate, with one that has expired since, or whose CA is gone.
 *
 * Whether a client offers a session stands in its first message, in the clear, and a session is of one version of TLS. Who
 * offers one of TLS 1.3 gets a full handshake of TLS 1.2, and the other way round: every client that knows both comes in at
 * once. One that knows just the one gets an alert, at which Go, Node, and Java with TLS 1.3 forget the session; Java with
 * TLS 1.2 does not.
 *
 * This is for the sake of clients. What a listener relies on is that it ends each connection that was resumed nevertheless.
 * `tests/conformance/tls_resumption_test.ts` fails without both.
 * @param server before anything else listens to its connections
 */
export function alwaysFullHandshakes(server: HandshakeServer, options: FullHandshakeOptions): void {
  const handshake = server.listeners("connection");
  server.removeAllListeners("connection");
  const begin = (socket: Socket, versions: TlsVersions | undefined) => {
    if (versions !== undefined) server.setSecureContext(options.context(versions));
    try {
      for (const listener of handshake) if (typeof listener === "function") listener.call(server, socket);
    } finally {
      if (versions !== undefined) server.setSecureContext(options.context(options.versions));
    }
  };
  server.on("connection", (socket) => {
    const chunks: Uint8Array[] = [];
    let held = 0;
    let wanted = 1;
    let takeBack: (() => void) | undefined;
    const settle = () => {
      limit.cancel();
      takeBack?.();
      socket.off("readable", onReadable).off("end", onEnd).off("error", onError).off("close", settle);
    };
    const fail = (error: Error) => {
      settle();
      // A second error that nobody listens for would end the process.
      socket.on("error", () => {});
      server.emit("tlsClientError", error, socket);
      socket.destroy();
    };
    const readOn = () => {
      // While its turn is waited for too, since its end is seen only so.
      for (let chunk = read(socket); chunk !== undefined; chunk = read(socket)) {
        chunks.push(chunk);
        held += chunk.length;
      }
      if (takeBack !== undefined && held > mostAheadBytes) return fail(new Error("peer went on before its handshake"));
      if (takeBack !== undefined || held < wanted) return;
      const bytes = Buffer.concat(chunks.splice(0));
      chunks.push(bytes);
      const hello = readClientHello(bytes);
      if (typeof hello === "number") return void (wanted = hello);
      const versions = typeof hello === "string" ? undefined : versionsFor(hello, options.versions);
      if (versions !== "none") {
        // It has said what it had to say: from here on it is this side that it waits for.
        limit.cancel();
        takeBack = options.inTurn(() =>
          options.guard(socket, () => {
            settle();
            socket.unshift(Buffer.concat(chunks));
            begin(socket, versions);
          })
        );
        return;
      }
      settle();
      socket.on("error", () => {});
      socket.end(handshakeFailure, () => socket.destroy());
      options.onRefused(new Error("peer offered to resume a TLS session and could do nothing else"));
    };
    const onReadable = () => options.guard(socket, readOn);
    const onEnd = () => fail(new Error("peer closed the connection before its TLS handshake"));
    const onError = (error: Error) => fail(error);
    const limit = options.limit(socket, () => {
      fail(Object.assign(new Error("no TLS handshake in time"), { code: "ERR_TLS_HANDSHAKE_TIMEOUT" }));
    });
    socket.on("readable", onReadable).on("end", onEnd).on("error", onError).on("close", settle);
  });
}

/**
 * The versions in which a client cannot resume what it offers: undefined where it offers nothing, `none` where there are
 * none that both sides have.
 */
function versionsFor(hello: ClientHello, own: TlsVersions): TlsVersions | "none" | undefined {
  const { versions, offersKey, offersTicket } = hello;
  if (!offersKey && !offersTicket) return undefined;
  // What neither side has in common fails by itself.
  const other = offersKey && offersTicket ? undefined : offersKey ? "TLSv1.2" : "TLSv1.3";
  if (other === undefined || !versions.has(other) || other < own.minVersion || other > own.maxVersion) return "none";
  return { minVersion: other, maxVersion: other };
}

function read(socket: Socket): Uint8Array | undefined {
  const chunk: unknown = socket.read();
  return chunk instanceof Uint8Array ? chunk : undefined;
}
