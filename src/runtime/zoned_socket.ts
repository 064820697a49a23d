import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { follow, ownerOf } from "../faults/owned.ts";

/** Bytes that are read at once. */
const readBytes = 64 * 1024;

/** How a destination is connected to. */
export interface ZonedAddress {
  /** An IPv6 address with its zone, `fe80::1%eth0`. */
  readonly host: string;
  readonly port: number;
}

/** Whether an address has a zone, which node:net loses. */
export function hasZone(host: string): boolean {
  return host.includes("%");
}

/**
 * Connects to an address with a zone. node:net (2.9.6) drops the zone, without which the system does not know on which
 * line the address is, and answers EINVAL; the runtime's own `Deno.connect` keeps it. Such destinations are rare, and none
 * carries what would make the difference in speed matter.
 * @returns what goes for a socket of node:net that connects, half-open at its peer's end; it has no handle
 */
export function connectZoned(address: ZonedAddress): Socket {
  const socket = new ZonedSocket(address);
  follow(ownerOf("connection", (error) => socket.destroy(error)), socket.connect());
  // As much of it as a destination's stream uses.
  return socket as Duplex as Socket;
}

class ZonedSocket extends Duplex {
  readonly #address: ZonedAddress;
  #connection: Deno.TcpConn | undefined;
  #reading = false;
  #wanted = false;

  constructor(address: ZonedAddress) {
    super({ allowHalfOpen: true });
    this.#address = address;
  }

  get remoteAddress(): string | undefined {
    return this.#connection === undefined || this.destroyed ? undefined : this.#address.host;
  }

  get remotePort(): number {
    return this.#address.port;
  }

  async connect(): Promise<void> {
    const { host, port } = this.#address;
    try {
      const connection = await Deno.connect({ hostname: host, port });
      if (this.destroyed) return connection.close();
      this.#connection = connection;
      connection.setNoDelay(true);
      connection.setKeepAlive(true);
    } catch (error) {
      return void this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
    this.emit("connect");
    if (this.#wanted) this._read();
  }

  override _read(): void {
    const connection = this.#connection;
    this.#wanted = true;
    if (connection === undefined || this.#reading || this.readableEnded) return;
    this.#reading = true;
    follow(ownerOf("connection", (error) => this.destroy(error)), this.#readFrom(connection));
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    follow(ownerOf("connection", (error) => this.destroy(error)), this.#finish(this.#writeAll(chunk), done));
  }

  override _final(done: (error?: Error | null) => void): void {
    const ended = this.#connection?.closeWrite() ?? Promise.resolve();
    follow(ownerOf("connection", (error) => this.destroy(error)), this.#finish(ended, done));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    try {
      this.#connection?.close();
    } catch {
      // It was closed already.
    }
    done(error);
  }

  async #readFrom(connection: Deno.TcpConn): Promise<void> {
    try {
      for (let more = true; more && !this.destroyed;) {
        this.#wanted = false;
        const bytes = new Uint8Array(readBytes);
        const length = await connection.read(bytes);
        if (this.destroyed) return;
        if (length === null) return void this.push(null);
        more = this.push(bytes.subarray(0, length));
      }
    } catch (error) {
      if (!this.destroyed) this.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#reading = false;
    }
    if (this.#wanted && !this.destroyed) this._read();
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) at += await this.#connection?.write(chunk.subarray(at)) ?? chunk.length;
  }

  async #finish(work: Promise<void>, done: (error?: Error | null) => void): Promise<void> {
    try {
      await work;
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
