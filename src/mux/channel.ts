import { ByteQueue } from "../streams/byte_queue.ts";
import type { ByteStream, ByteStreamHandler } from "../streams/byte_stream.ts";
import type { ReceiveWindow } from "../streams/receive_window.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { type Packet, windowCredit } from "../wire/packet.ts";
import type { ChannelOwner } from "./channel_owner.ts";
import type { ReceiveState, SendState } from "./channel_state.ts";
import { flowLimits } from "./flow_limits.ts";
import { InteractiveDetector } from "./interactive.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Session } from "./session.ts";

/**
 * One tunnel's share of a link: an ordered stream of bytes each way, with a window each way. For the peer it holds what the
 * link or the window does not take at once: at most what was already read when {@link write} asked for a pause. Of the
 * peer's bytes it holds what comes during a pause, at most a window; what was taken returns credit.
 */
export class Channel<O extends ChannelOwner = ChannelOwner> implements ByteStream {
  /** The agent's number for the connection. */
  readonly id: ConnectId;
  readonly owner: O;
  readonly #scheduler: Scheduler;
  readonly #session: Session<O>;
  /** Absent on a link without windows. */
  readonly #window: ReceiveWindow | undefined;
  #credit: number;
  #sending: SendState = "open";
  /** Bytes that wait for the link or for credit. */
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #last: Packet | undefined;
  /** Nothing was sent since {@link giveBack} was called. */
  #idle = false;
  /** The writer waits for {@link ByteStreamHandler.onDrain}. */
  #waiting = false;
  readonly #interactive = new InteractiveDetector();
  #handler: ByteStreamHandler | undefined;
  #receiving: ReceiveState = "open";
  /** The reader takes nothing: it has not begun, or has asked for a pause. */
  #paused = true;
  /** Bytes that came meanwhile; absent until there are some. */
  #held: ByteQueue | undefined;
  /** Bytes that the reader was given when it paused. */
  #untakenBytes = 0;
  /** These, and what came meanwhile. */
  #heldBytes = 0;
  /** Since when there are some, on the link's clock. */
  #heldSince = 0;
  /** How the tunnel has ended, once it has. */
  #closed: { readonly error: Error | undefined } | undefined;
  /** It takes no more part in windows and stalls. */
  #released = false;
  #sentBytes = 0;
  #receivedBytes = 0;

  /** Used by {@link Session.open}. */
  constructor(id: ConnectId, owner: O, session: Session<O>, window: ReceiveWindow | undefined) {
    this.id = id;
    this.owner = owner;
    this.#scheduler = session.scheduler;
    this.#session = session;
    this.#credit = window === undefined ? Infinity : flowLimits.initialWindowBytes;
    this.#window = window;
  }

  /** The peer sends no more than it was given credit for. */
  get windowed(): boolean {
    return this.#window !== undefined;
  }

  /** Bytes that wait for the link, or for the peer's credit. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes of the peer that were not taken yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes that were written, and bytes of the peer. */
  get bytes(): { readonly sent: number; readonly received: number } {
    return { sent: this.#sentBytes, received: this.#receivedBytes };
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    if (this.#closed !== undefined) return this.#reportClosed(handler, this.#closed.error);
    this.resume();
  }

  write(payload: Uint8Array): boolean {
    const { length } = payload;
    if (this.#sending !== "open") return this.owner.discarded(length);
    this.#sentBytes += length;
    this.#idle = false;
    const small = length <= flowLimits.smallPayloadBytes;
    const interactiveMs = this.#interactive.sent(length, this.#scheduler.now);
    if (interactiveMs > 0) this.#scheduler.interactive(interactiveMs);
    if (this.#queuedBytes === 0 && !this.#waiting && length <= Math.min(this.#credit, flowLimits.maxDataBytes)) {
      // The usual case: nothing waits, and the window and the link take it as it is.
      if (this.#scheduler.open || (small && this.#scheduler.reserveAhead(this, length))) {
        this.#credit -= length;
        this.#scheduler.sendData(this.id, payload);
        // A blocked link may still take the next small one.
        if (this.#credit > 0 && (small || this.#scheduler.open)) return true;
        return this.#wait();
      }
    }
    this.#queue.push(payload);
    this.#queuedBytes += length;
    if (!this.#waiting && this.#scheduler.open) {
      while (this.flush(flowLimits.maxDataBytes) && this.#scheduler.open);
      if (this.#queuedBytes === 0 && this.#credit > 0 && this.#scheduler.open) return true;
    }
    return this.#wait();
  }

  /** Withholds the peer's credit: what comes from now on waits here. */
  pause(): void {
    this.#paused = this.#receiving !== "over";
  }

  resume(): void {
    const handler = this.#handler;
    if (!this.#paused || handler === undefined) return;
    this.#paused = false;
    let taken = this.#untakenBytes;
    this.#untakenBytes = 0;
    while (this.#flowing || this.#session.options.gathers) {
      const bytes = this.#held?.shift();
      if (bytes === undefined) break;
      handler.onData(bytes);
      if (this.#flowing) taken += bytes.length;
      else this.#untakenBytes += bytes.length;
    }
    this.#took(taken);
    this.#reportEnd(handler);
  }

  end(): void {
    this.owner.sideEnded();
  }

  destroy(error?: Error): void {
    this.owner.sideGone(error);
  }

  /** Bytes of the peer; the view may be kept. */
  deliver(payload: Uint8Array): void {
    if (this.#receiving === "ending" || this.#receiving === "ended") return;
    const { length } = payload;
    if (this.#receivedBytes === 0) this.owner.firstReceived?.();
    this.#interactive.received(length);
    if (this.#window?.received(length) === false) return this.owner.violated("sent more than the tunnel's window");
    this.#receivedBytes += length;
    if (this.#receiving === "over") return this.#consumed(length, 0);
    if (!this.#flowing) (this.#held ??= new ByteQueue()).push(payload);
    else {
      this.#handler?.onData(payload);
      if (this.#flowing) return this.#consumed(length, 0);
      this.#untakenBytes += length;
    }
    if (this.#heldBytes === 0) this.#heldSince = this.#scheduler.now();
    this.#heldBytes += length;
    this.#reportHeld();
  }

  /** The peer has ended its direction: its last bytes are still delivered. */
  peerEnded(): void {
    if (this.#receiving !== "open") return;
    this.#receiving = "ending";
    this.#window?.peerEnded();
    if (this.#handler !== undefined) this.#reportEnd(this.#handler);
  }

  /** The tunnel has ended: the reader is handed what has come, also during a pause, and the end. The rest is dropped. */
  closed(error?: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = { error };
    this.#stopReceiving();
    if (this.#handler !== undefined) this.#reportClosed(this.#handler, error);
  }

  /** The reader is gone: what it has not taken is dropped, and what still comes. */
  discard(): void {
    this.#held = undefined;
    this.#stopReceiving();
  }

  /**
   * Sends a packet behind everything that waits here. Called again, the later packet takes the place of one that still
   * waits, or follows one that was sent.
   */
  finish(last: Packet): void {
    if (this.#sending === "dropped") return;
    if (this.#queuedBytes > 0) {
      this.#sending = "finishing";
      this.#last = last;
      return;
    }
    this.#sending = "finished";
    this.#scheduler.forget(this);
    this.#scheduler.sendPacket(last);
  }

  /**
   * The peer returned credit, or, where it is negative, gave some back that it does not need.
   * @returns false when it is more than it can have
   */
  granted(bytes: number): boolean {
    if (bytes < 0 && this.#window !== undefined) return this.#window.returned(-bytes);
    const credit = this.#credit + bytes;
    // On a link without windows there is no bound from the start.
    if (!(bytes > 0) || (credit > Number.MAX_SAFE_INTEGER && this.#credit !== Infinity)) return false;
    this.#credit = credit;
    if (this.#credit > flowLimits.initialWindowBytes) this.#session.quiet.watch(this);
    // Its writer waits also where bytes do.
    if (this.#waiting) this.#scheduler.wait(this);
    return true;
  }

  /**
   * Gives the credit back that was added to what a channel begins with, where nothing was sent since this was last called.
   * @returns true when there may be some to give back later
   */
  giveBack(): boolean {
    if (this.#sending === "dropped") return false;
    const bytes = this.#credit - flowLimits.initialWindowBytes;
    if (!this.#idle || this.#queuedBytes > 0) {
      this.#idle = true;
      return true;
    }
    if (bytes <= 0) return false;
    this.#credit -= bytes;
    this.#scheduler.sendPacket(windowCredit(this.id, -bytes));
    return false;
  }

  /** The tunnel is over: it takes no more part in windows and stalls, and may still pass on what waits, each way. */
  release(): void {
    this.#released = true;
    this.#session.quiet.forget(this);
    this.#window?.close();
    this.#session.stalls.release(this.owner);
  }

  /** Drops what waits here; nothing more is sent but a last packet, at once. */
  drop(last?: Packet): void {
    this.#sending = "dropped";
    this.#session.quiet.forget(this);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#scheduler.forget(this);
    if (last !== undefined) this.#scheduler.sendPacket(last);
  }

  /**
   * One turn: sends at most `quantum` bytes, fewer when the window or the link ends it. The scheduler calls it.
   * @returns true when the channel needs another turn
   */
  flush(quantum: number): boolean {
    let remaining = quantum;
    while (remaining > 0 && this.#scheduler.open) {
      const next = this.#queue[0];
      if (next === undefined) break;
      const bytes = Math.min(next.length, remaining, this.#credit);
      if (bytes <= 0) break;
      if (bytes === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(bytes);
      this.#queuedBytes -= bytes;
      this.#credit -= bytes;
      remaining -= bytes;
      this.#scheduler.sendData(this.id, bytes === next.length ? next : next.subarray(0, bytes));
    }
    return this.#queuedBytes > 0 && this.#credit > 0;
  }

  /** Has the writer go on, or ends, once the queue is empty. The scheduler calls it after a turn. */
  settle(): void {
    if (this.#queuedBytes > 0) return;
    if (this.#sending === "finishing" && this.#last !== undefined) {
      this.#sending = "finished";
      this.#scheduler.sendPacket(this.#last);
    } else if (this.#sending === "open" && this.#waiting && this.#credit > 0) {
      this.#waiting = false;
      this.#handler?.onDrain();
    }
  }

  #wait(): false {
    this.#waiting = true;
    if (this.#credit > 0) this.#scheduler.wait(this);
    return false;
  }

  /** A getter, since the compiler does not see what a callback may have changed. */
  get #flowing(): boolean {
    return !this.#paused;
  }

  /** What is held counts as taken, and so does what still comes. */
  #stopReceiving(): void {
    this.#took(this.#heldBytes);
    this.#receiving = "over";
    this.#paused = false;
  }

  /** The reader has taken so many of the bytes that were held. */
  #took(bytes: number): void {
    if (bytes === 0 || this.#receiving === "over") return;
    this.#heldBytes -= bytes;
    const now = this.#scheduler.now();
    const waitedMs = now - this.#heldSince;
    this.#heldSince = now;
    this.#reportHeld();
    this.#consumed(bytes, waitedMs);
  }

  /** Bytes were consumed: the peer gets credit for them. */
  #consumed(bytes: number, waitedMs: number): void {
    this.owner.taken(waitedMs);
    const credit = this.#window?.consumed(bytes) ?? 0;
    if (credit > 0) this.#scheduler.sendPacket(windowCredit(this.id, credit));
  }

  /** On a link without windows too many bytes that are not taken stall the link. */
  #reportHeld(): void {
    if (this.#window === undefined && !this.#released) this.#session.stalls.held(this.owner, this.#heldBytes);
  }

  #reportEnd(handler: ByteStreamHandler): void {
    if (this.#receiving !== "ending" || (this.#held?.length ?? 0) > 0) return;
    this.#receiving = "ended";
    handler.onEnd();
  }

  #reportClosed(handler: ByteStreamHandler, error: Error | undefined): void {
    const held = this.#held;
    this.#held = undefined;
    for (let bytes = held?.shift(); bytes !== undefined; bytes = held?.shift()) handler.onData(bytes);
    handler.onClose(error);
  }
}
