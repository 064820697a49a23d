import type { Socket } from "node:net";
import { fault, type Owner } from "../../../src/faults/fault.ts";
import type { Pipe } from "./pipe.ts";

/** From so many bytes on that the system has not taken, a socket asks its writer to wait: the runtime's own bound. */
const highWaterBytes = 64 * 1024;

type Event = "connect" | "data" | "drain" | "end" | "error" | "close";
type Listener = (argument?: unknown) => void;

/** What a socket needs of the network that it is in. */
export interface SocketContext {
  /** Calls back at this same time, behind what is due already, unless the socket's process has ended. */
  soon(step: () => void): void;
}

/**
 * One end of a connection of the simulated network. To the code under test it is a socket of node:net, of whose interface and
 * order of events it has what links, tunnels and clients use.
 */
export class SimSocket implements Owner {
  readonly place = "connection";
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #context: SocketContext;
  /** Carries what is written here to the other end. */
  #pipe: Pipe | undefined;
  readonly #listeners = new Map<Event, Listener[]>();
  readonly #unread: (Uint8Array | "end")[] = [];
  #unreadBytes = 0;
  readonly #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #corks = 0;
  /** Undefined: nobody has said yet whether it should be read. */
  #reading: boolean | undefined;
  #flowing = false;
  #endRead = false;
  #finSent = false;
  #detached = false;
  destroyed = false;
  writableEnded = false;
  writableNeedDrain = false;
  bytesRead = 0;

  constructor(context: SocketContext, remote: { readonly host: string; readonly port: number }) {
    this.#context = context;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
  }

  /** As the code under test has it: whatever that does not use of a socket is not here. */
  get socket(): Socket {
    return this as unknown as Socket;
  }

  attach(pipe: Pipe): void {
    this.#pipe = pipe;
  }

  // ---- as node:net has it ----

  on(event: Event, listener: Listener): this {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, [listener]);
    else listeners.push(listener);
    if (event === "data" && this.#reading === undefined) this.resume();
    return this;
  }

  once(event: Event, listener: Listener): this {
    const once = (argument?: unknown) => {
      const listeners = this.#listeners.get(event) ?? [];
      listeners.splice(listeners.indexOf(once), 1);
      listener.call(this, argument);
    };
    return this.on(event, once);
  }

  setNoDelay(): this {
    return this;
  }

  get writableLength(): number {
    return this.#unsentBytes;
  }

  get writableCorked(): number {
    return this.#corks;
  }

  write(bytes: Uint8Array): boolean {
    if (this.destroyed || this.writableEnded) return false;
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    const more = this.#unsentBytes < highWaterBytes;
    if (!more) this.writableNeedDrain = true;
    this.flush();
    return more;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    if (this.#corks === 0) return;
    this.#corks--;
    this.flush();
  }

  pause(): this {
    this.#reading = false;
    return this;
  }

  resume(): this {
    if (this.#reading === true) return this;
    this.#reading = true;
    this.#flowSoon();
    return this;
  }

  end(last?: Uint8Array): this {
    if (last !== undefined) this.write(last);
    if (this.destroyed || this.writableEnded) return this;
    this.writableEnded = true;
    this.#corks = 0;
    this.flush();
    return this;
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    const unread = this.#unreadBytes > 0;
    this.#close(error);
    // What the system has taken still goes out; bytes that nobody read make it say that the connection is broken.
    this.#pipe?.close(unread);
    return this;
  }

  // ---- for the network ----

  /** Bytes that have come and were not read. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** Hands on what the pipe has room for. */
  flush(): void {
    const pipe = this.#pipe;
    if (pipe === undefined || this.destroyed || this.#corks > 0) return;
    if (this.#unsentBytes > 0) this.#unsentBytes -= pipe.take(this.#unsent);
    if (this.#unsentBytes > 0) return;
    if (this.writableNeedDrain) {
      this.#context.soon(() => {
        if (!this.writableNeedDrain || this.#unsentBytes > 0 || this.destroyed) return;
        this.writableNeedDrain = false;
        this.#emit("drain");
      });
    }
    if (this.writableEnded && !this.#finSent) {
      this.#finSent = true;
      pipe.finish();
      this.#closeIfDone();
    }
  }

  /** Something has come. */
  receive(what: Uint8Array | "end"): void {
    this.#unread.push(what);
    if (what !== "end") {
      this.#unreadBytes += what.length;
      this.bytesRead += what.length;
    }
    if (!this.#flowing) this.#flow();
  }

  /** The connection broke. */
  broke(error: Error): void {
    if (!this.destroyed) this.#close(error);
  }

  /** The process is gone: nobody hears of this socket any more, and the other end what the system says. */
  detach(): void {
    this.#detached = true;
    this.#listeners.clear();
    this.destroy();
  }

  /** {@link Owner}. */
  faulted(error: Error): void {
    this.destroy(error);
  }

  // ---- own ----

  #flowSoon(): void {
    if (this.#flowing) return;
    this.#flowing = true;
    this.#context.soon(() => {
      this.#flowing = false;
      this.#flow();
    });
  }

  /** Hands on one piece; what else has come follows in a later turn, as of the runtime's event loop. */
  #flow(): void {
    if (this.#reading !== true || this.destroyed) return;
    const next = this.#unread.shift();
    if (next === undefined) return;
    if (next === "end") {
      this.#endRead = true;
      this.#emit("end");
      this.#closeIfDone();
      return;
    }
    this.#unreadBytes -= next.length;
    this.#emit("data", next);
    this.#pipe?.other.roomMade();
    if (this.#unread.length > 0) this.#flowSoon();
  }

  /** A socket whose both sides have ended is gone, as the runtime has it. */
  #closeIfDone(): void {
    if (this.#endRead && this.#finSent && !this.destroyed) this.#close(undefined);
  }

  #close(error: Error | undefined): void {
    this.destroyed = true;
    this.#unsent.length = 0;
    this.#unsentBytes = 0;
    this.#unread.length = 0;
    this.#unreadBytes = 0;
    if (this.#detached) return;
    this.#context.soon(() => {
      if (error !== undefined) this.#emit("error", error);
      this.#emit("close");
      this.#listeners.clear();
    });
  }

  #emit(event: Event, argument?: unknown): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    try {
      if (listeners.length === 1) listeners[0]?.call(this, argument);
      else for (const listener of [...listeners]) listener.call(this, argument);
    } catch (error) {
      fault(this, error);
    }
  }
}
