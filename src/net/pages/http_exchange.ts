import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { owned, ownerOf } from "../../faults/owned.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { withReadBackpressure } from "../../runtime/tls/tls_backpressure.ts";
import type { TlsMaterial } from "../tls/tls_files.ts";

export type { IncomingMessage };

/** How to trust a TLS server that is reached over some connection. */
export interface OverlayTls extends TlsMaterial {
  /** Name that the certificate must carry, when it is not the host. */
  readonly serverName?: string;
}

/**
 * Makes TLS over a connection that exists already, and checks the server's certificate.
 * @param host name or address, without brackets, that the certificate must carry
 * @throws {Error} with node:tls's `code` when the handshake fails or the certificate is refused
 */
export function secure(connection: Duplex, host: string, tls: OverlayTls): Promise<Duplex> {
  const { serverName = host, ...material } = tls;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...material,
      socket: connection,
      host: serverName,
      // Server names are names only (RFC 6066 section 3).
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...verifiedServer(material.ca),
    });
    socket.once(
      "secureConnect",
      owned(ownerOf("connection", reject), () => {
        withReadBackpressure(socket);
        socket.removeListener("error", reject);
        socket.on("error", () => {});
        resolve(socket);
      }),
    );
    // Stays until the handshake is done: a second error that nobody listens for would end the process.
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("connection closed during the TLS handshake")));
  });
}

/** An HTTP/1.1 request without its body. */
export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** With `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a request over a connection of its own. */
export class HttpExchange {
  readonly #request: ClientRequest;
  /** The answer's head; the body follows as the message is read. Rejects when there is none. */
  readonly response: Promise<IncomingMessage>;

  constructor(connection: Duplex, head: RequestHead) {
    const answered = Promise.withResolvers<IncomingMessage>();
    this.response = answered.promise;
    this.#request = httpRequest({
      method: head.method,
      path: head.target,
      headers: { ...head.headers },
      setHost: false,
      createConnection: () => connection,
    });
    this.#request.once("response", answered.resolve);
    this.#request.on("error", answered.reject);
    // An answer that asks for another protocol, which is not offered.
    this.#request.once(
      "upgrade",
      owned(ownerOf("request", answered.reject), (message: IncomingMessage) => {
        connection.destroy();
        answered.reject(new Error(`unexpected answer ${message.statusCode}`));
      }),
    );
    this.#request.once("close", () => answered.reject(new Error("connection closed without an answer")));
  }

  /** Sends the whole body, or its absence. */
  end(body?: Uint8Array): void {
    if (body === undefined) this.#request.end();
    else this.#request.end(body);
  }

  /**
   * Sends a body as it comes. Ends early when the request is over.
   * @param onSourceError called when the body's source fails, which breaks the request off
   */
  async stream(body: ReadableStream<Uint8Array>, onSourceError: (error: unknown) => void): Promise<void> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (!this.#request.write(value)) await this.#drained();
        if (this.#request.destroyed) return await reader.cancel();
      }
      this.#request.end();
    } catch (error) {
      onSourceError(error);
      this.#request.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      reader.releaseLock();
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = owned(ownerOf("request", () => resolve()), () => {
        this.#request.removeListener("drain", settle);
        this.#request.removeListener("close", settle);
        resolve();
      });
      this.#request.once("drain", settle);
      this.#request.once("close", settle);
      if (this.#request.destroyed) settle();
    });
  }
}
