import { maxWindow } from "./frames/frame.ts";
import { h2Limits } from "./limits.ts";
import type { H2Stream } from "./stream.ts";

/** The open streams of a connection, and whether another id is idle, reset or refused (RFC 9113, section 5.1). */
export class StreamTable {
  readonly #open = new Map<number, H2Stream>();
  /** Streams that this side reset lately: frames that were in flight for them are no fault of the peer's. */
  readonly #reset = new Set<number>();
  #lastId = 0;
  /** Streams above this are not served any more. */
  #refusedAbove = maxWindow;

  /** Open streams. */
  get size(): number {
    return this.#open.size;
  }

  /** The highest number that the peer has used. */
  get lastId(): number {
    return this.#lastId;
  }

  /** No stream beyond those that the peer has opened is served. */
  get refusing(): boolean {
    return this.#refusedAbove < maxWindow;
  }

  /** The open stream of that number. */
  get(streamId: number): H2Stream | undefined {
    return this.#open.get(streamId);
  }

  /** The open streams as they are now, so that each of them can be closed on the way. */
  all(): H2Stream[] {
    return [...this.#open.values()];
  }

  /** The stream was never opened; most frames on it are a connection error. */
  isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#lastId;
  }

  /** This side reset it, not long ago. */
  wasReset(streamId: number): boolean {
    return this.#reset.has(streamId);
  }

  /** It was opened after this side's last GOAWAY. */
  isRefused(streamId: number): boolean {
    return streamId > this.#refusedAbove;
  }

  /** The peer uses a new number: it and all below are idle no longer. */
  use(streamId: number): void {
    this.#lastId = streamId;
  }

  add(stream: H2Stream): void {
    this.#open.set(stream.id, stream);
  }

  delete(stream: H2Stream): void {
    this.#open.delete(stream.id);
  }

  /** This side resets the stream of that number, open or not. */
  rememberReset(streamId: number): void {
    this.#reset.add(streamId);
    if (this.#reset.size <= h2Limits.maxResetStreams) return;
    const [oldest] = this.#reset;
    if (oldest !== undefined) this.#reset.delete(oldest);
  }

  /** The streams that the peer has opened by now are the last. */
  refuseNew(): void {
    this.#refusedAbove = this.#lastId;
  }

  /** The peer changed the window that streams begin with; false when that makes a window larger than any may be. */
  changeSendWindows(by: number): boolean {
    if (by === 0) return true;
    for (const stream of this.#open.values()) if (!stream.changeSendWindow(by, maxWindow)) return false;
    return true;
  }
}
