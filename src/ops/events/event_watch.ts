import { EventQueue, type EventQueueLimits } from "./event_queue.ts";
import type { EventQuery } from "./event_query.ts";

/** What one watch may take, and how long it may take nothing. */
export interface EventWatchLimits {
  readonly queue: EventQueueLimits;
  /** Characters of what is written at once: no more than that is with the socket, beside what the kernel has taken. */
  readonly pieceChars: number;
  /** A line is sent after so much silence, in milliseconds, so that no proxy on the way closes the connection. */
  readonly heartbeatMs: number;
  /** A watch whose reader has taken nothing for so long is ended, in milliseconds. */
  readonly stalledMs: number;
}

/** A watch was ended by this side, and not in order. The code tells it from a fault of this program. */
export class EventWatchError extends Error {
  override readonly name = "EventWatchError";
  readonly code: "stalled" | "closed";

  constructor(code: "stalled" | "closed", message: string) {
    super(message);
    this.code = code;
  }
}

/** A line that means nothing, as server-sent events have it. */
const heartbeat = ":\n\n";

const encoder = new TextEncoder();

/** One reader of a program's events: what it asks for, what waits for it, and the body of its answer. */
export class EventWatch {
  readonly query: EventQuery;
  readonly queue: EventQueue;
  /** Pieces come when they are asked for; what is not asked for waits in {@link queue}. */
  readonly body: ReadableStream<Uint8Array>;
  readonly #limits: EventWatchLimits;
  readonly #now: () => number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The reader has taken all that it was given, and asks for more. */
  #asked = false;
  /** When it was given something last. */
  #gaveAt: number;

  /**
   * @param now milliseconds of a monotonic clock
   * @param onGone the reader has left
   */
  constructor(
    query: EventQuery,
    limits: EventWatchLimits,
    now: () => number,
    lostFrame: (count: number) => string,
    onGone: () => void,
  ) {
    this.query = query;
    this.#limits = limits;
    this.#now = now;
    this.#gaveAt = now();
    this.queue = new EventQueue(limits.queue, lostFrame);
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#asked = true;
        this.flush();
      },
      cancel: onGone,
    }, { highWaterMark: 0 });
  }

  /** Gives the reader a piece of what waits, where it asks for one. */
  flush(): void {
    if (this.queue.size > 0) this.#give(() => this.queue.take(this.#limits.pieceChars));
  }

  /** The reader has taken nothing for too long. */
  get stalled(): boolean {
    return !this.#asked && this.#now() - this.#gaveAt >= this.#limits.stalledMs;
  }

  /** Sends a heartbeat, where the next look would be too late for it. */
  beat(nextLookMs: number): void {
    if (this.#now() - this.#gaveAt + nextLookMs > this.#limits.heartbeatMs) this.#give(() => heartbeat);
  }

  /** Ends it, behind what waits; at once where the reader does not take what it was given. */
  close(): void {
    if (this.#asked) {
      this.#give(() => this.queue.take(Infinity));
      this.#controller?.close();
    } else {
      this.fail(new EventWatchError("closed", "the reader has not taken what it was given"));
    }
  }

  /** Ends it at once. */
  fail(error: EventWatchError): void {
    this.#controller?.error(error);
  }

  #give(piece: () => string): void {
    if (!this.#asked) return;
    const text = piece();
    if (text === "") return;
    this.#asked = false;
    this.#gaveAt = this.#now();
    this.#controller?.enqueue(encoder.encode(text));
  }
}
