import type { Socket } from "node:net";
import type { SecureContextOptions, TlsOptions, TLSSocket } from "node:tls";
import type { TlsMaterial } from "./tls_files.ts";
import type { WatchedTls } from "./tls_watch.ts";

/** What a TLS listener presents, whom it trusts and what it negotiates. With a `ca` in the files, clients must have a certificate. */
export interface ServerTls {
  readonly files: WatchedTls;
  /** Absent: TLS 1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names of the TLS 1.2 suites that may be negotiated; absent: every one that the runtime offers. */
  readonly cipherSuites?: ReadonlySet<string>;
}

/** How long a handshake may take, in milliseconds. */
const handshakeTimeoutMs = 30_000;

/** The part of a TLS server that {@link boundHandshakes} needs. */
interface HandshakingServer {
  on(event: "connection", listener: (socket: Socket) => void): unknown;
  on(event: "tlsClientError", listener: (error: Error, socket: TLSSocket) => void): unknown;
}

/** The part of a TLS server that {@link followTls} needs. */
interface TlsServer {
  setSecureContext(options: SecureContextOptions): void;
  prependListener(event: "secureConnection", listener: (socket: TLSSocket) => void): unknown;
  once(event: "close", listener: () => void): unknown;
}

/**
 * Options of node's TLS servers for these settings. Sockets that are half open (`allowHalfOpen`) have to be made so after
 * their handshake: before it, the runtime would never notice that a client has left.
 */
export function tlsServerOptions(tls: ServerTls): TlsOptions {
  const { material } = tls.files;
  // Whether a certificate is asked for is decided at the start; files that change later must not open the door.
  const verify = material.ca !== undefined;
  return {
    ...material,
    requestCert: verify,
    rejectUnauthorized: verify,
    minVersion: tls.minVersion ?? "TLSv1.2",
    handshakeTimeout: handshakeTimeoutMs,
  };
}

/**
 * Drops connections whose handshake fails or takes too long, which the runtime leaves to its users.
 * @returns what drops those whose handshake is under way: a server that closes waits for them
 */
export function boundHandshakes(server: HandshakingServer, onFailed: (error: Error) => void): () => void {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.on("tlsClientError", (error, socket) => {
    socket.destroy();
    onFailed(error);
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

/** Keeps a TLS server on the newest files, and refuses connections whose cipher suite is not allowed. */
export function followTls(server: TlsServer, tls: ServerTls, onRefused: (error: Error) => void): void {
  const stop = tls.files.onChange((material: TlsMaterial) => server.setSecureContext({ ...material }));
  server.once("close", stop);
  const allowed = tls.cipherSuites;
  if (allowed === undefined) return;
  server.prependListener("secureConnection", (socket) => {
    const cipher = socket.getCipher();
    // The suites of TLS 1.3 cannot be chosen, as with the original.
    if (socket.getProtocol() === "TLSv1.3" || allowed.has(cipher.name)) return;
    socket.destroy();
    onRefused(new Error(`cipher suite ${cipher.name} is not among those that were allowed`));
  });
}
