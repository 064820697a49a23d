import { Buffer } from "node:buffer";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { connectionOwner, owned } from "../../faults/owned.ts";
import { FairReader } from "../../runtime/fair_reading.ts";
import { bytesRead } from "../../runtime/memory/read_meter.ts";
import { leaveParser } from "../../runtime/http/http_parsers.ts";
import { makeLastRequest } from "../../runtime/http/last_request.ts";
import type { Clock } from "../../runtime/clock.ts";
import { EdgeError } from "./edge_error.ts";
import { edgeLimits } from "./edge_limits.ts";

/** A response as the answer of HTTP/1.1 after which the connection ends. @param method of the request */
export async function closingAnswer(response: Response, method: string | undefined): Promise<Uint8Array> {
  const body = await response.bytes();
  response.headers.set("content-length", String(body.length));
  response.headers.set("connection", "close");
  let head = `HTTP/1.1 ${response.status} ${response.statusText || (STATUS_CODES[response.status] ?? "")}\r\n`;
  for (const [name, value] of response.headers) head += `${name}: ${value}\r\n`;
  return Buffer.concat([Buffer.from(`${head}\r\n`), method === "HEAD" ? Buffer.alloc(0) : body]);
}

/**
 * The end of a client that was refused. What it still sends is read and dropped, so that it sees the answer and no reset,
 * but not for longer than it takes to read an answer, and not without an end.
 */
export class RefusedClient {
  readonly #socket: Socket;
  readonly #onBound: (error: Error) => void;
  readonly #readBefore: number;

  /**
   * Takes the connection's bytes away from whoever reads them. To be called once.
   * @param onBound called when the client goes on sending beyond the bound
   * @param message the refused request, whose connection the runtime's parser still reads
   */
  constructor(socket: Socket, clock: Clock, onBound: (error: Error) => void, message?: IncomingMessage) {
    this.#socket = socket;
    this.#onBound = onBound;
    this.#readBefore = socket.bytesRead;
    // What the runtime's parser has read by itself.
    bytesRead(this.#readBefore);
    const owner = connectionOwner(socket);
    if (message !== undefined) {
      makeLastRequest(socket);
      // What has been parsed of its body; a body that nobody reads would have the socket stopped.
      message.resume();
    }
    const reader = new FairReader(socket);
    const onData = (bytes: Uint8Array) => {
      bytesRead(bytes.length);
      reader.dropped(bytes.length);
      this.readOn();
    };
    leaveParser(socket);
    socket.on("data", owned(owner, onData));
    const limit = clock.after(edgeLimits.refusedLingerMs, () => void socket.destroy(), owner);
    socket.once("close", owned(owner, () => limit.cancel()));
  }

  /** Ends this side with an answer. */
  answer(bytes: string | Uint8Array): void {
    if (this.#socket.writable) this.#socket.end(bytes);
    else this.#socket.destroy();
  }

  /** More of the client was read. */
  readOn(): void {
    const bytes = this.#socket.bytesRead - this.#readBefore;
    if (bytes <= edgeLimits.refusedBytes || this.#socket.destroyed) return;
    this.#socket.destroy();
    this.#onBound(new EdgeError("flood", `client sent more than ${edgeLimits.refusedBytes} bytes behind a refusal`));
  }
}

/** The clients of a listener that were refused. */
export class RefusedClients {
  readonly #clients = new WeakMap<Socket, RefusedClient>();
  readonly #clock: Clock;
  readonly #onBound: (error: Error) => void;

  /** @param onBound as for {@link RefusedClient} */
  constructor(clock: Clock, onBound: (error: Error) => void) {
    this.#clock = clock;
    this.#onBound = onBound;
  }

  has(socket: Socket): boolean {
    return this.#clients.has(socket);
  }

  /**
   * Refuses a connection. The runtime goes on to parse what of it was read, finds requests in it, and finds them too slow:
   * none of that is answered again.
   * @returns undefined where it was refused before
   */
  refuse(socket: Socket, message?: IncomingMessage): RefusedClient | undefined {
    const before = this.#clients.get(socket);
    before?.readOn();
    if (before !== undefined) return undefined;
    const client = new RefusedClient(socket, this.#clock, this.#onBound, message);
    this.#clients.set(socket, client);
    return client;
  }
}
