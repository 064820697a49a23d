import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

/** Where a frontend or an agent listener is: a Unix socket, or 127.0.0.1 with mutual TLS. */
export interface Listener {
  readonly uds: string;
  readonly port: number;
  readonly certificates: TestCertificateFiles;
}

/** Opens the bare byte stream below a listener's protocol. */
export function openSocket({ uds, port, certificates }: Listener, alpn?: string): Promise<Socket> {
  // HTTP/2 has no half-open connections: on such a socket its session would never learn that its peer left.
  const allowHalfOpen = alpn === undefined;
  // The types of node:tls lack allowHalfOpen, which it takes.
  const tls = {
    host: "127.0.0.1",
    port,
    allowHalfOpen,
    ca: readFileSync(certificates.caCert),
    cert: readFileSync(certificates.clientCert),
    key: readFileSync(certificates.clientKey),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
  };
  return new Promise((resolve, reject) => {
    const socket: Socket = uds !== "" ? connectPlain({ path: uds, allowHalfOpen }) : connectTls(tls);
    socket.once("error", reject);
    socket.once(uds !== "" ? "connect" : "secureConnect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** A socket whose every byte is kept in the order of arrival, so that nothing too early goes unseen. */
export class RawSocket implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #received = Buffer.alloc(0);
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (chunk: Buffer) => this.#received = Buffer.concat([this.#received, chunk]));
    socket.on("error", () => this.#ended = true);
    socket.on("end", () => this.#ended = true);
    socket.on("close", () => this.#ended = true);
  }

  static async open(listener: Listener): Promise<RawSocket> {
    return new RawSocket(await openSocket(listener));
  }

  /** Everything that has arrived and was not taken. */
  get text(): string {
    return this.#received.toString("latin1");
  }

  /** The other side sends no more. */
  get ended(): boolean {
    return this.#ended;
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** Sends no more, and goes on reading. */
  end(): void {
    this.#socket.end();
  }

  /** Vanishes. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Takes as many bytes as `expected` has characters, or what came before the end. */
  async take(length: number): Promise<string> {
    await until(`${length} bytes arrive, after ${JSON.stringify(this.text.slice(0, 200))}`, () => {
      return this.#received.length >= length || this.#ended;
    });
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(taken.length);
    return taken.toString("latin1");
  }

  /** Takes everything up to the end. */
  async rest(): Promise<string> {
    await until("the other side ends", () => this.#ended);
    return this.take(this.#received.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }
}

/** The answer to an accepted CONNECT, to the byte. */
export const established = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** Sends CONNECT as kube-apiserver does, with perhaps something right behind it. */
export async function sendConnect(listener: Listener, target: string, head: string = ""): Promise<RawSocket> {
  const socket = await RawSocket.open(listener);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${head}`);
  return socket;
}
