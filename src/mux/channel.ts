import type { ConnectId } from "../wire/connect_id.ts";
import type { ReceiveWindow } from "../streams/receive_window.ts";
import { type Packet, windowCredit } from "../wire/packet.ts";
import { flowLimits } from "./flow_limits.ts";
import { InteractiveDetector } from "./interactive.ts";
import type { QuietCredit } from "./quiet_credit.ts";
import type { Session } from "./session.ts";
import { SendWindow } from "./send_window.ts";
import type { Scheduler } from "./scheduler.ts";
import type { StallGuard, StallOwner } from "./stall_guard.ts";

/** What a channel belongs to: a tunnel at either end of a link. It ends when one of its callbacks throws. */
export interface ChannelOwner extends StallOwner {
  /** Bytes from the peer; the view may be kept. */
  deliver(payload: Uint8Array): void;
  /** The channel takes data again after {@link Channel.send} returned false. */
  channelWritable(): void;
}

/**
 * Where the sending half of a channel stands: `open` takes data; `finishing` holds data and the packet behind it;
 * `finished` has sent that packet; `dropped` sends nothing more.
 */
type SendState = "open" | "finishing" | "finished" | "dropped";

/**
 * One tunnel's share of a link: an ordered stream of bytes each way, with a window each way. It holds what the link or the
 * window does not take at once: at most what its owner had already read when {@link send} asked it to pause.
 */
export class Channel<O extends ChannelOwner = ChannelOwner> {
  /** The agent's number for the connection. */
  readonly id: ConnectId;
  readonly owner: O;
  readonly #scheduler: Scheduler;
  readonly #stalls: StallGuard;
  readonly #quiet: QuietCredit;
  readonly #sending: SendWindow;
  /** Absent on a link without windows. */
  readonly #receiving: ReceiveWindow | undefined;
  #state: SendState = "open";
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #last: Packet | undefined;
  /** Nothing was sent since the watch of {@link QuietCredit} last looked. */
  #idle = false;
  /** The owner waits for {@link ChannelOwner.channelWritable}. */
  #waiting = false;
  readonly #interactive = new InteractiveDetector();
  /** {@link Scheduler.drains} when a payload of this channel last went ahead of others. */
  #aheadAt = -1;

  /** Used by {@link Session.open}. */
  constructor(id: ConnectId, owner: O, session: Session<O>, receiving: ReceiveWindow | undefined) {
    this.id = id;
    this.owner = owner;
    this.#scheduler = session.scheduler;
    this.#stalls = session.stalls;
    this.#quiet = session.quiet;
    this.#sending = new SendWindow(receiving === undefined ? Infinity : flowLimits.initialWindowBytes);
    this.#receiving = receiving;
  }

  /** The peer sends no more than it was given credit for. */
  get windowed(): boolean {
    return this.#receiving !== undefined;
  }

  /** Bytes that wait here. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sends a non-empty payload, in order. It is taken in any case.
   * @returns false when the owner should wait for {@link ChannelOwner.channelWritable}
   */
  send(payload: Uint8Array): boolean {
    if (this.#state !== "open") return true;
    const { length } = payload;
    this.#idle = false;
    const small = length <= flowLimits.smallPayloadBytes;
    const interactiveMs = this.#interactive.sent(length, this.#scheduler.now);
    if (interactiveMs > 0) this.#scheduler.interactive(interactiveMs);
    if (
      this.#queuedBytes === 0 && !this.#waiting && length <= Math.min(this.#sending.credit, flowLimits.maxDataBytes)
    ) {
      // The usual case: nothing waits, and the window and the link take it as it is.
      if (this.#scheduler.open || (small && this.#reserveAhead(length))) {
        this.#sending.take(length);
        this.#scheduler.sendData(this.id, payload);
        // A blocked link may still take the next small one.
        if (this.#sending.credit > 0 && (small || this.#scheduler.open)) return true;
        return this.#wait();
      }
    }
    this.#queue.push(payload);
    this.#queuedBytes += length;
    if (!this.#waiting && this.#scheduler.open) {
      while (this.flush(flowLimits.maxDataBytes) && this.#scheduler.open);
      if (this.#queuedBytes === 0 && this.#sending.credit > 0 && this.#scheduler.open) return true;
    }
    return this.#wait();
  }

  /** Bytes were received from the peer. @returns false when they are more than its window */
  received(bytes: number): boolean {
    this.#interactive.received(bytes);
    return this.#receiving?.received(bytes) !== false;
  }

  /** Bytes were consumed: the other side's socket took them. The peer gets credit for them. */
  consumed(bytes: number): void {
    const credit = this.#receiving?.consumed(bytes) ?? 0;
    if (credit > 0) this.#scheduler.sendPacket(windowCredit(this.id, credit));
  }

  /** So many bytes were received and are not consumed: on a link without windows too many of them stall the link. */
  held(bytes: number): void {
    if (this.#receiving === undefined) this.#stalls.held(this.owner, bytes);
  }

  /**
   * Sends a packet behind everything that waits here. Called again, the later packet takes the place of one that still
   * waits, or follows one that was sent.
   */
  finish(last: Packet): void {
    if (this.#state === "dropped") return;
    if (this.#queuedBytes > 0) {
      this.#state = "finishing";
      this.#last = last;
      return;
    }
    this.#state = "finished";
    this.#scheduler.forget(this);
    this.#scheduler.sendPacket(last);
  }

  /**
   * The peer returned credit, or, where it is negative, gave some back that it does not need.
   * @returns false when it is more than it can have
   */
  granted(bytes: number): boolean {
    if (bytes < 0 && this.#receiving !== undefined) return this.#receiving.returned(-bytes);
    if (!this.#sending.grant(bytes)) return false;
    if (this.#sending.credit > flowLimits.initialWindowBytes) this.#quiet.watch(this);
    if (this.#waiting || this.#queuedBytes > 0) this.#scheduler.wait(this);
    return true;
  }

  /**
   * Gives the credit back that was added to what a channel begins with, where nothing was sent since this was last called.
   * @returns true when there may be some to give back later
   */
  giveBack(): boolean {
    if (this.#state === "dropped") return false;
    const bytes = this.#sending.credit - flowLimits.initialWindowBytes;
    if (!this.#idle || this.#queuedBytes > 0) {
      this.#idle = true;
      return true;
    }
    if (bytes <= 0) return false;
    this.#sending.take(bytes);
    this.#scheduler.sendPacket(windowCredit(this.id, -bytes));
    return false;
  }

  /** The tunnel is over: it takes no more part in windows and stalls, and may still send what waits. */
  close(): void {
    this.#quiet.forget(this);
    this.#receiving?.close();
    this.#stalls.release(this.owner);
  }

  /** Drops what waits here; nothing more is sent. */
  drop(): void {
    this.#state = "dropped";
    this.#quiet.forget(this);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#scheduler.forget(this);
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
      const bytes = Math.min(next.length, remaining, this.#sending.credit);
      if (bytes <= 0) break;
      if (bytes === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(bytes);
      this.#queuedBytes -= bytes;
      this.#sending.take(bytes);
      remaining -= bytes;
      this.#scheduler.sendData(this.id, bytes === next.length ? next : next.subarray(0, bytes));
    }
    return this.#queuedBytes > 0 && this.#sending.credit > 0;
  }

  /** Resumes the owner, or ends, once the queue is empty. The scheduler calls it after a turn. */
  settle(): void {
    if (this.#queuedBytes > 0) return;
    if (this.#state === "finishing" && this.#last !== undefined) {
      this.#state = "finished";
      this.#scheduler.sendPacket(this.#last);
    } else if (this.#state === "open" && this.#waiting && this.#sending.credit > 0) {
      this.#waiting = false;
      this.owner.channelWritable();
    }
  }

  /** Reserves room before what other channels have queued: for one small payload of each channel while the link is blocked. */
  #reserveAhead(bytes: number): boolean {
    const { drains } = this.#scheduler;
    if (this.#aheadAt === drains || !this.#scheduler.reserveAhead(bytes)) return false;
    this.#aheadAt = drains;
    return true;
  }

  #wait(): false {
    this.#waiting = true;
    if (this.#sending.credit > 0) this.#scheduler.wait(this);
    return false;
  }
}
