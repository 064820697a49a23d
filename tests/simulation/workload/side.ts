import type { ByteStream, ByteStreamHandler } from "../../../src/streams/byte_stream.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import { NumberedBytes } from "./numbered_bytes.ts";

/** When a side sends, and when it ends its direction. */
export interface SidePlan {
  readonly sendBytes: number;
  readonly pieceBytes: number;
  readonly gapMs: number;
  /** Sends what it receives instead. */
  readonly echoes: boolean;
  readonly sends: "at once" | "at the peer's end";
  readonly ends: "when sent" | "when received" | "at the peer's end";
  /** What it is to receive. */
  readonly expectBytes: number;
  /** It reads nothing for so long, from so many bytes on. */
  readonly stall?: { readonly afterBytes: number; readonly ms: number };
  /** It breaks its connection so long after it began. */
  readonly breaksAfterMs?: number;
}

/** One end of a tunnel, with what it has seen. */
export class Side implements ByteStreamHandler {
  readonly plan: SidePlan;
  readonly #clock: Clock;
  readonly #out: NumberedBytes;
  readonly #in: NumberedBytes;
  readonly #violated: (what: string) => void;
  readonly #onClosed: () => void;
  #stream: ByteStream | undefined;
  #full = false;
  #waiting = false;
  #stalled = false;
  #echoBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;
  /** It has ended its direction. */
  ended = false;
  peerEnded = false;
  /** Undefined: open, or never opened. */
  closed: { readonly error: Error | undefined } | undefined;
  /** It broke the connection itself. */
  broke = false;

  /** @param out the number of the stream that it sends @param violated says that something came which must not */
  constructor(
    plan: SidePlan,
    clock: Clock,
    out: number,
    incoming: number,
    violated: (what: string) => void,
    onClosed: () => void,
  ) {
    this.plan = plan;
    this.#clock = clock;
    this.#out = new NumberedBytes(out);
    this.#in = new NumberedBytes(incoming);
    this.#violated = violated;
    this.#onClosed = onClosed;
  }

  get opened(): boolean {
    return this.#stream !== undefined;
  }

  /** It has received what it was to receive, and sent what it was to send, and ended. */
  get complete(): boolean {
    const { plan } = this;
    const sent = plan.echoes ? this.receivedBytes : plan.sendBytes;
    return this.receivedBytes === plan.expectBytes && this.sentBytes === sent && this.ended;
  }

  start(stream: ByteStream): void {
    this.#stream = stream;
    stream.start(this);
    const { breaksAfterMs } = this.plan;
    if (breaksAfterMs !== undefined) this.#clock.after(breaksAfterMs, () => this.break(), ownerOf("timer"));
    this.#send();
  }

  /** Drops the connection. */
  break(): void {
    if (this.closed !== undefined) return;
    this.broke = true;
    this.#stream?.destroy();
  }

  onData(bytes: Uint8Array): void {
    if (this.closed !== undefined) this.#violated("bytes came behind the close");
    if (this.peerEnded) this.#violated("bytes came behind the end");
    if (!this.#in.holds(this.receivedBytes, bytes)) {
      this.#violated(`bytes at ${this.receivedBytes} are lost, repeated, out of order or another tunnel's`);
    }
    this.receivedBytes += bytes.length;
    if (this.receivedBytes > this.plan.expectBytes) this.#violated(`${this.receivedBytes} bytes came, too many`);
    if (this.plan.echoes) this.#echoBytes += bytes.length;
    this.#stallOnce();
    this.#send();
  }

  onDrain(): void {
    this.#full = false;
    this.#send();
  }

  onEnd(): void {
    if (this.peerEnded) this.#violated("the end came twice");
    this.peerEnded = true;
    this.#send();
  }

  onClose(error: Error | undefined): void {
    if (this.closed !== undefined) this.#violated("the close came twice");
    this.closed = { error };
    this.#onClosed();
  }

  #stallOnce(): void {
    const { stall } = this.plan;
    if (stall === undefined || this.#stalled || this.receivedBytes < stall.afterBytes) return;
    this.#stalled = true;
    this.#stream?.pause();
    this.#clock.after(stall.ms, () => this.#stream?.resume(), ownerOf("timer"));
  }

  #send(): void {
    const stream = this.#stream;
    const { plan } = this;
    if (stream === undefined || this.closed !== undefined || this.ended || this.broke) return;
    const total = plan.echoes ? this.#echoBytes : plan.sendBytes;
    const may = plan.sends === "at once" || this.peerEnded;
    while (may && !this.#full && !this.#waiting && this.sentBytes < total) {
      const piece = this.#out.at(this.sentBytes, Math.min(plan.pieceBytes, total - this.sentBytes));
      this.sentBytes += piece.length;
      this.#full = !stream.write(piece);
      if (plan.gapMs > 0 && this.sentBytes < total) this.#pause();
    }
    if (this.#endsNow(total)) {
      this.ended = true;
      stream.end();
    }
  }

  #pause(): void {
    this.#waiting = true;
    this.#clock.after(this.plan.gapMs, () => {
      this.#waiting = false;
      this.#send();
    }, ownerOf("timer"));
  }

  #endsNow(total: number): boolean {
    if (this.sentBytes < total) return false;
    switch (this.plan.ends) {
      case "when sent":
        return this.plan.sends === "at once" || this.peerEnded;
      case "when received":
        return this.receivedBytes >= this.plan.expectBytes;
      case "at the peer's end":
        return this.peerEnded;
    }
  }
}
