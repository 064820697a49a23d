import type { SimSocket } from "./sim_socket.ts";

/** Most bytes that arrive at once. */
const segmentBytes = 64 * 1024;

/** What is on its way. */
type Segment = Uint8Array | "end" | "reset";

/** What one direction of a connection is to the network that carries it. */
export interface PipeContext {
  /** Milliseconds that so many bytes take to the other host, if they leave now. */
  delayMs(bytes: number): number;
  /** Calls back so many milliseconds from now. */
  after(ms: number, step: () => void): void;
  readonly now: () => number;
  /** What the systems at both ends hold for this direction. */
  readonly bufferBytes: number;
  /** What happens to what is on its way now: it arrives, waits for the network, or is lost for good. */
  readonly fate: "arrives" | "waits" | "lost";
  /** Where a segment of so many bytes is cut into two; 0: nowhere. */
  cut(bytes: number): number;
  /** A segment has arrived. */
  arrived(segment: Segment): void;
  /** Nobody confirms what was sent. */
  unconfirmed(): void;
}

/** One direction of a connection: bytes in their order, then an end, or a reset at any time. */
export class Pipe {
  readonly #context: PipeContext;
  readonly #from: SimSocket;
  readonly #to: SimSocket;
  #other: Pipe | undefined;
  #inFlightBytes = 0;
  /** When the last segment arrives: none overtakes another. */
  #lastAt = 0;
  /** In the order in which they were sent. */
  readonly #inFlight: Segment[] = [];
  /** Segments that would have arrived while the network was cut. */
  #overdue = 0;
  /** An end was sent, and a reset. */
  #finished = false;
  #reset = false;
  #wasFull = false;

  constructor(from: SimSocket, to: SimSocket, context: PipeContext) {
    this.#from = from;
    this.#to = to;
    this.#context = context;
  }

  /** Joins the two directions of one connection. */
  static join(a: Pipe, b: Pipe): void {
    a.#other = b;
    b.#other = a;
  }

  /** The other direction. */
  get other(): Pipe {
    if (this.#other === undefined) throw new Error("this direction was not joined");
    return this.#other;
  }

  /** Takes bytes, as many as there is room for. @returns how many */
  take(pieces: Uint8Array[]): number {
    let room = this.#context.bufferBytes - this.#inFlightBytes - this.#to.unreadBytes;
    let taken = 0;
    while (room > 0 && pieces.length > 0) {
      const segment = nextSegment(pieces, Math.min(room, segmentBytes));
      room -= segment.length;
      taken += segment.length;
      const cutAt = this.#context.cut(segment.length);
      if (cutAt > 0) this.#send(segment.subarray(0, cutAt));
      this.#send(cutAt > 0 ? segment.subarray(cutAt) : segment);
    }
    this.#wasFull = pieces.length > 0;
    return taken;
  }

  /** Nothing follows. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#send("end");
  }

  /** This end is gone. @param abrupt it had not read what had come, which the other end learns */
  close(abrupt: boolean): void {
    if (!abrupt) return this.finish();
    if (this.#reset) return;
    this.#finished = this.#reset = true;
    this.#send("reset");
  }

  /** The reader has taken something. */
  roomMade(): void {
    if (!this.#wasFull) return;
    this.#wasFull = false;
    this.#context.after(this.#context.delayMs(0), () => this.#from.flush());
  }

  /** The network is whole again: what waited is sent once more. */
  resend(): void {
    for (; this.#overdue > 0; this.#overdue--) this.#schedule(0);
  }

  #send(segment: Segment): void {
    const bytes = typeof segment === "string" ? 0 : segment.length;
    this.#inFlightBytes += bytes;
    this.#inFlight.push(segment);
    this.#schedule(bytes);
  }

  #schedule(bytes: number): void {
    const { now, after } = this.#context;
    this.#lastAt = Math.max(this.#lastAt, now() + this.#context.delayMs(bytes));
    after(this.#lastAt - now(), this.#arrive);
  }

  readonly #arrive = (): void => {
    const { fate } = this.#context;
    if (fate === "waits") return void this.#overdue++;
    const segment = this.#inFlight.shift();
    if (segment === undefined) return;
    if (fate === "lost") return this.#context.unconfirmed();
    if (typeof segment !== "string") this.#inFlightBytes -= segment.length;
    this.#context.arrived(segment);
    if (segment === "reset") this.#to.broke(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    else if (!this.#to.destroyed) this.#to.receive(segment);
    else if (segment !== "end") this.other.close(true);
  };
}

/** Bytes of the first pieces, which are taken away: one piece as it is, or several as a copy. */
function nextSegment(pieces: Uint8Array[], mostBytes: number): Uint8Array {
  const first = pieces[0];
  if (first === undefined) throw new Error("there is nothing to send");
  if (first.length > mostBytes) {
    pieces[0] = first.subarray(mostBytes);
    return first.subarray(0, mostBytes);
  }
  if (pieces.length === 1 || first.length === mostBytes) {
    pieces.shift();
    return first;
  }
  let count = 0;
  let bytes = 0;
  for (const { length } of pieces) {
    if (bytes + length > mostBytes) break;
    bytes += length;
    count++;
  }
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const piece of count === pieces.length ? pieces : pieces.slice(0, count)) {
    joined.set(piece, at);
    at += piece.length;
  }
  if (count === pieces.length) pieces.length = 0;
  else pieces.splice(0, count);
  return joined;
}
