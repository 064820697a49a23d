import type { ConnectId } from "../wire/connect_id.ts";
import type { Packet } from "../wire/packet.ts";
import { flowLimits } from "./flow_limits.ts";
import type { PacketStream } from "./packet_stream.ts";
import type { SendWindow } from "./send_window.ts";

/** Where a lane's bytes come from; it is told when it may send again. */
export interface LaneSource {
  /** The lane takes data again after {@link Lane.send} returned false. */
  laneWritable(): void;
}

/**
 * Where a lane stands: `open` takes data; `finishing` holds data and the packet behind it; `finished` has sent that
 * packet; `dropped` sends nothing more.
 */
type LaneState = "open" | "finishing" | "finished" | "dropped";

/**
 * How many small payloads in a row are talk on a tunnel that has carried larger ones: bulk is cut in pieces where chunks
 * and frames end, and some of them are small.
 */
const talkBehindBulk = 16;

/** ...and for how long they have been following each other, in milliseconds: what begins some transfers is no talk. */
const talkBeginsMs = 5;

/** How long talk lasts after a small payload of a conversation, and after one that may be the first answer of one, in ms. */
const talkLastsMs = 250;
const firstAnswerMs = 50;

/**
 * One tunnel's way onto a link. It holds what the link or the tunnel's window does not take at once: at most what its
 * source had already read when it was told to pause.
 */
export class Lane {
  readonly #writer: FairWriter;
  readonly #source: LaneSource;
  readonly #window: SendWindow;
  readonly #id: ConnectId;
  #state: LaneState = "open";
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #last: Packet | undefined;
  /** The source was told to wait. */
  #waiting = false;
  /** Small payloads in a row, when the first of them came, and how many of them are talk. */
  #smallInRow = 0;
  #smallSince = 0;
  #talkFrom = 2;
  /** The last that came the other way was small, and has not been answered. */
  #heardSmall = false;
  /** {@link FairWriter.holdBacks} when a payload of this lane last went ahead of others. */
  #aheadAt = -1;

  constructor(writer: FairWriter, id: ConnectId, window: SendWindow, source: LaneSource) {
    this.#writer = writer;
    this.#id = id;
    this.#window = window;
    this.#source = source;
  }

  /** Bytes that wait here. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sends a non-empty payload, in order. It is taken in any case.
   * @returns false when the source should wait for {@link LaneSource.laneWritable}
   */
  send(payload: Uint8Array): boolean {
    if (this.#state !== "open") return true;
    const { length } = payload;
    const small = length <= flowLimits.smallPayloadBytes;
    if (!small) {
      this.#smallInRow = 0;
      this.#talkFrom = talkBehindBulk;
    } else if (this.#talks()) {
      this.#writer.talk(talkLastsMs);
    } else if (this.#heardSmall && this.#talkFrom !== talkBehindBulk) {
      this.#writer.talk(firstAnswerMs);
    }
    this.#heardSmall = false;
    if (this.#queuedBytes === 0 && !this.#waiting && length <= Math.min(this.#window.credit, flowLimits.maxDataBytes)) {
      // The usual case: nothing waits, and the window and the link take it as it is.
      if (this.#writer.open || (small && this.#goesAhead(length))) {
        this.#window.take(length);
        this.#writer.sendData(this.#id, payload);
        // A link that holds back may still take the next small one.
        if (this.#window.credit > 0 && (small || this.#writer.open)) return true;
        return this.#wait();
      }
    }
    this.#queue.push(payload);
    this.#queuedBytes += length;
    if (!this.#waiting && this.#writer.open) {
      while (this.flush(flowLimits.maxDataBytes) && this.#writer.open);
      if (this.#queuedBytes === 0 && this.#window.credit > 0 && this.#writer.open) return true;
    }
    return this.#wait();
  }

  /** Bytes came the other way. */
  heard(bytes: number): void {
    this.#heardSmall = bytes <= flowLimits.smallPayloadBytes;
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
    this.#writer.forget(this);
    this.#writer.sendPacket(last);
  }

  /** The peer returned credit. */
  granted(): void {
    if (this.#waiting || this.#queuedBytes > 0) this.#writer.wait(this);
  }

  /** Drops what waits here; nothing more is sent. */
  drop(): void {
    this.#state = "dropped";
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#writer.forget(this);
  }

  /**
   * One turn: sends at most `quantum` bytes, fewer when the window or the link ends it. Called by the writer.
   * @returns true when the lane needs another turn
   */
  flush(quantum: number): boolean {
    let left = quantum;
    while (left > 0 && this.#writer.open) {
      const next = this.#queue[0];
      if (next === undefined) break;
      const bytes = Math.min(next.length, left, this.#window.credit);
      if (bytes <= 0) break;
      if (bytes === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(bytes);
      this.#queuedBytes -= bytes;
      this.#window.take(bytes);
      left -= bytes;
      this.#writer.sendData(this.#id, bytes === next.length ? next : next.subarray(0, bytes));
    }
    return this.#queuedBytes > 0 && this.#window.credit > 0;
  }

  /** Nothing that waited is left, or no credit: goes on with the source, or ends. Called by the writer after a turn. */
  settle(): void {
    if (this.#queuedBytes > 0) return;
    if (this.#state === "finishing" && this.#last !== undefined) {
      this.#state = "finished";
      this.#writer.sendPacket(this.#last);
    } else if (this.#state === "open" && this.#waiting && this.#window.credit > 0) {
      this.#waiting = false;
      this.#source.laneWritable();
    }
  }

  /** Whether a small payload that comes now is part of a conversation. */
  #talks(): boolean {
    if (++this.#smallInRow === 1) this.#smallSince = this.#writer.now();
    return this.#smallInRow >= this.#talkFrom && this.#writer.now() - this.#smallSince > talkBeginsMs;
  }

  /** Whether a small payload may go before what waits in other lanes: one of each lane while the link holds back. */
  #goesAhead(bytes: number): boolean {
    const { holdBacks } = this.#writer;
    if (this.#aheadAt === holdBacks || !this.#writer.takesAhead(bytes)) return false;
    this.#aheadAt = holdBacks;
    return true;
  }

  #wait(): false {
    this.#waiting = true;
    if (this.#window.credit > 0) this.#writer.wait(this);
    return false;
  }
}

/**
 * Writes the packets of many tunnels onto one link: control packets at once, DATA of the lanes in turn (deficit round
 * robin with one quantum, Shreedhar and Varghese 1995), small payloads of lanes in which nothing waits before their turn.
 * The link's own buffer stays small, so that nothing waits long behind what was written before.
 */
export class FairWriter {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly #stream: PacketStream;
  #open = true;
  #pumping = false;
  #aheadBytes = 0;
  #holdBacks = 0;
  /** Lanes that wait for a turn, the next one first. */
  readonly #turns = new Set<Lane>();

  constructor(stream: PacketStream, now: () => number) {
    this.#stream = stream;
    this.now = now;
  }

  /** The link takes data. */
  get open(): boolean {
    return this.#open;
  }

  /** How often the link has held data back and taken it again. */
  get holdBacks(): number {
    return this.#holdBacks;
  }

  /** Whether the link, which holds data back, takes a small payload all the same; so many bytes until it takes data again. */
  takesAhead(bytes: number): boolean {
    if (this.#aheadBytes + bytes > flowLimits.aheadBytes) return false;
    this.#aheadBytes += bytes;
    return true;
  }

  /** Sends a control packet, before all data that waits. */
  sendPacket(packet: Packet): void {
    if (!this.#stream.sendPacket(packet)) this.#open = false;
  }

  sendData(id: ConnectId, payload: Uint8Array): void {
    if (!this.#stream.sendData(id, payload)) this.#open = false;
  }

  /** Somebody talks on a lane, and may go on for so many milliseconds. */
  talk(forMs: number): void {
    this.#stream.talk?.(forMs);
  }

  /** A lane wants a turn. */
  wait(lane: Lane): void {
    this.#turns.add(lane);
    if (this.#open) this.#pump();
  }

  forget(lane: Lane): void {
    this.#turns.delete(lane);
  }

  /** The link takes data again. */
  onDrain(): void {
    this.#open = true;
    this.#holdBacks++;
    this.#aheadBytes = 0;
    this.#pump();
  }

  /** Lanes that wait for a turn now. */
  get waitingCount(): number {
    return this.#turns.size;
  }

  #pump(): void {
    // A source that goes on may send at once, and so come back here.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#open) {
      const [lane] = this.#turns;
      if (lane === undefined) break;
      this.#turns.delete(lane);
      if (lane.flush(flowLimits.maxDataBytes)) this.#turns.add(lane);
      else lane.settle();
    }
    this.#pumping = false;
  }
}
