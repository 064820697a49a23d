import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../../src/streams/packet_stream.ts";
import type { ConnectId } from "../../../src/wire/connect_id.ts";
import type { Packet } from "../../../src/wire/packet.ts";

type Item =
  | { readonly kind: "packet"; readonly packet: Packet }
  | { readonly kind: "data"; readonly id: ConnectId; readonly payload: Uint8Array }
  | { readonly kind: "end"; readonly error: Error | undefined };

/**
 * One end of a packet stream in memory. What it sends waits until the pair delivers it, one item at a time and in an order
 * between the two directions that the test chooses; nothing is delivered from within a send.
 */
export class PairEnd implements PacketStream {
  roundTripMs = 0;
  /** Payload bytes in flight above which a sender is told to hold back; a test may set it. */
  highWaterBytes = Infinity;
  #peer: PairEnd | undefined;
  #handler: PacketStreamHandler | undefined;
  readonly #sent: Item[] = [];
  #sentBytes = 0;
  #full = false;
  #paused = false;
  #ended = false;
  #peerEnded = false;
  closed: StreamEnd | undefined;
  /** The network between the ends is gone, and neither is notified. */
  #cut = false;
  /** Items that have come from the other end. */
  received = 0;
  readonly #closeListeners: (() => void)[] = [];
  /** For how long a tunnel was said to be interactive, each time, in milliseconds. */
  readonly interactiveMs: number[] = [];

  /** Connects two ends with each other. */
  static join(a: PairEnd, b: PairEnd): void {
    a.#peer = b;
    b.#peer = a;
  }

  /** Whatever is sent from now on is lost, and no end learns that the other has gone. */
  static cut(a: PairEnd, b: PairEnd): void {
    a.#cut = true;
    b.#cut = true;
  }

  get peer(): PairEnd {
    if (this.#peer === undefined) throw new Error("this end was not joined");
    return this.#peer;
  }

  measure(onAnswer?: () => void): void {
    onAnswer?.();
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
  }

  sendPacket(packet: Packet): boolean {
    if (!this.#ended && this.closed === undefined) this.#sent.push({ kind: "packet", packet });
    return !this.#full;
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (this.#ended || this.closed !== undefined) return true;
    this.#sent.push({ kind: "data", id, payload });
    this.#sentBytes += payload.length;
    this.#full = this.#sentBytes >= this.highWaterBytes;
    return !this.#full;
  }

  interactive(forMs: number): void {
    this.interactiveMs.push(forMs);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  end(error?: Error): void {
    if (this.#ended || this.closed !== undefined) return;
    this.#ended = true;
    this.#sent.push({ kind: "end", error });
  }

  destroy(error: Error): void {
    this.lose(error);
  }

  /** Calls back once this end is closed. */
  onClosed(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  /** The reader holds this direction back now. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Items that this end has sent and that were not delivered. */
  get pending(): number {
    return this.#sent.length;
  }

  /** Delivers one item that this end has sent. Returns false when there is none, or the peer does not read. */
  deliverOne(): boolean {
    const { peer } = this;
    if (this.#cut || peer.#paused || peer.#handler === undefined || peer.closed !== undefined) return false;
    const item = this.#sent.shift();
    if (item === undefined) return false;
    peer.received++;
    switch (item.kind) {
      case "packet":
        peer.#handler.onPacket(item.packet);
        break;
      case "data":
        this.#sentBytes -= item.payload.length;
        peer.#handler.onData(item.id, item.payload);
        if (this.#full && this.#sentBytes < this.highWaterBytes) {
          this.#full = false;
          this.#handler?.onDrain();
        }
        break;
      case "end":
        peer.#peerEnded = true;
        if (item.error === undefined) peer.#handler.onEnd();
        else peer.#close({ kind: "failed", error: item.error });
        this.#closeIfDone();
        peer.#closeIfDone();
    }
    return true;
  }

  /** Both ends learn that the connection is gone, unless the network is; what was in flight is lost. */
  lose(error: Error = new Error("connection was lost")): void {
    for (const end of this.#cut ? [this] : [this, this.peer]) {
      end.#sent.length = 0;
      end.#close({ kind: "failed", error });
    }
  }

  #closeIfDone(): void {
    if (this.#peerEnded && this.#ended && this.#sent.length === 0) this.#close({ kind: "ended" });
  }

  #close(end: StreamEnd): void {
    if (this.closed !== undefined) return;
    this.closed = end;
    this.#handler?.onClose(end);
    for (const listener of this.#closeListeners) listener();
  }
}

/** Two ends of one packet stream. */
export interface PacketPair {
  readonly near: PairEnd;
  readonly far: PairEnd;
  /** Delivers whatever was sent, both ways, until nothing is left that can be delivered. */
  settle(): void;
}

export function packetPair(): PacketPair {
  const near = new PairEnd();
  const far = new PairEnd();
  PairEnd.join(near, far);
  const settle = () => {
    // Not `||`: both directions get their turn.
    while ([near.deliverOne(), far.deliverOne()].includes(true));
  };
  return { near, far, settle };
}

/** Keeps what a packet stream tells, for tests that play a peer. */
export class PacketRecorder implements PacketStreamHandler {
  readonly packets: Packet[] = [];
  readonly data: { readonly id: ConnectId; readonly payload: Uint8Array }[] = [];
  /** Packets and data in their order, in short: `DIAL_REQ`, `DATA 1 5`. */
  readonly log: string[] = [];
  end: StreamEnd | undefined;
  ended = false;
  onEach: ((packet: Packet) => void) | undefined;
  readonly #nameOf: (packet: Packet) => string;

  constructor(nameOf: (packet: Packet) => string) {
    this.#nameOf = nameOf;
  }

  onData(id: ConnectId, payload: Uint8Array): void {
    this.data.push({ id, payload });
    this.log.push(`DATA ${id} ${payload.length}`);
  }

  onPacket(packet: Packet): void {
    this.packets.push(packet);
    this.log.push(this.#nameOf(packet));
    this.onEach?.(packet);
  }

  onDrain(): void {}

  onEnd(): void {
    this.ended = true;
  }

  onClose(end: StreamEnd): void {
    this.end = end;
  }

  /** All payload bytes of a connection, as text. */
  text(id: ConnectId): string {
    const decoder = new TextDecoder();
    return this.data.filter((piece) => piece.id === id).map((piece) => decoder.decode(piece.payload, { stream: true }))
      .join("");
  }
}
