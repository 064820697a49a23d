import type { H2Connection } from "./connection.ts";
import { isAnswer } from "./frames/control_frames.ts";
import { PieceWriter } from "./frames/piece_writer.ts";
import type { H2Stream } from "./stream.ts";

/** Where a connection's bytes go. */
export interface H2Output {
  /**
   * Writes the pieces, in order, without a copy.
   * @returns false when the connection should wait until its `drained` is called; the pieces were taken all the same
   */
  write(pieces: readonly Uint8Array[]): boolean;
  /** Asks for one call of the connection's `flush` at the end of the current turn, however often it is called. */
  schedule(): void;
  /** Ends the connection after everything written. */
  end(): void;
}

/** Largest DATA frame that is sent where the peer allows more than the default: streams take turns frame by frame. */
const maxSentFrameBytes = 64 * 1024;

/** Bytes of DATA that go to the output in one write. */
const batchBytes = 256 * 1024;

/** All connections write one after the other, never within each other. */
const writer = new PieceWriter();

/**
 * The sending half of a connection: control frames go first, then streams take turns, one DATA frame each, as far as the
 * windows and the output allow.
 */
export class FrameSender {
  readonly #output: H2Output;
  readonly #connection: H2Connection;
  #control: Uint8Array[] = [];
  /** Streams that have bytes and a window for them, in the order of their turns. */
  readonly #ready = new Set<H2Stream>();
  #window: number;
  #maxFrameBytes: number;
  #blocked = false;

  constructor(output: H2Output, connection: H2Connection, window: number, maxFrameBytes: number) {
    this.#output = output;
    this.#connection = connection;
    this.#window = window;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Sends a frame that is not DATA, ahead of all DATA that has not been written. */
  control(frames: Uint8Array): void {
    this.#control.push(frames);
    this.#output.schedule();
  }

  /** Drops the answers that have not been written: the peer closes, and reads no more. */
  dropAnswers(): void {
    this.#control = this.#control.filter((frames) => !isAnswer(frames));
  }

  /** The stream has bytes to send and a window for them. */
  ready(stream: H2Stream): void {
    this.#ready.add(stream);
    this.#output.schedule();
  }

  forget(stream: H2Stream): void {
    this.#ready.delete(stream);
  }

  setMaxFrameBytes(bytes: number): void {
    this.#maxFrameBytes = Math.min(bytes, maxSentFrameBytes);
  }

  /** The peer allows so many more bytes on the connection. Returns false when that is beyond what a window can be. */
  grow(bytes: number, limit: number): boolean {
    if (this.#window + bytes > limit) return false;
    this.#window += bytes;
    this.#output.schedule();
    return true;
  }

  /** The output takes bytes again. */
  drained(): void {
    this.#blocked = false;
    this.flush();
  }

  flush(): void {
    writer.begin();
    for (const frames of this.#control) writer.add(frames);
    this.#control = [];
    let drained: H2Stream[] | undefined;
    for (;;) {
      if (!this.#blocked) {
        for (const stream of this.#ready) {
          if (this.#window === 0 || writer.bytes >= batchBytes) break;
          if (stream.sendWindow <= 0) {
            // SETTINGS took its window away; it comes back with a WINDOW_UPDATE.
            this.#ready.delete(stream);
            continue;
          }
          if (this.#sendFrame(stream)) (drained ??= []).push(stream);
        }
      }
      if (writer.bytes === 0) break;
      if (!this.#output.write(writer.finish())) this.#blocked = true;
    }
    // Last, because their owners may write again from within.
    if (drained !== undefined) { for (const stream of drained) stream.notifyDrained(); }
  }

  /** Returns whether the stream's owner is to learn that its queue has drained. */
  #sendFrame(stream: H2Stream): boolean {
    this.#window -= stream.takeFrame(writer, Math.min(this.#window, this.#maxFrameBytes));
    this.#connection.dataSent();
    // Deleted and added again, it comes last in the set's order.
    this.#ready.delete(stream);
    if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#ready.add(stream);
    const drained = stream.takeDrained();
    if (stream.readyToEnd) {
      const frames = this.#connection.endOf(stream);
      if (frames !== undefined) writer.add(frames);
      stream.endSent();
    }
    return drained;
  }
}
