import { fault, type Owner } from "../../faults/fault.ts";
import { follow, guard } from "../../faults/owned.ts";
import { type ConnectId, connectId } from "../../wire/connect_id.ts";
import { dataPacket, type Packet, PacketType } from "../../wire/packet.ts";
import { Fifo } from "./fifo.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "../../streams/packet_stream.ts";
import { doesNotRead, maxUnsentBytes } from "../../wire/limits.ts";

/** Bytes that may wait for a slow peer before senders are asked to wait. */
const highWaterBytes = 256 * 1024;

/** What a packet counts while it waits, its payload not included: a typed message takes so much memory. */
const packetBytes = 256;

/** `ending`: this side has said all that it will; `closed`: the owner knows of the end. It never goes back. */
type Life = "open" | "ending" | "closed";

/**
 * A packet stream over typed messages: what an RPC framework hands to a handler and takes from it as async iterables.
 * Slower than a stream of bytes, and the way for peers that speak another protocol than gRPC.
 */
export class MessageStream implements PacketStream, Owner {
  readonly place = "stream";
  readonly roundTripMs = 0;
  readonly #incoming: AsyncIterable<Packet>;
  readonly #outgoing = new Fifo<Packet>();
  #handler: PacketStreamHandler | undefined;
  #life: Life = "open";
  #queuedBytes = 0;
  /** Senders were asked to wait, until nothing is queued. */
  #full = false;
  #paused = false;
  /** Wakes the reader of {@link outgoing}. */
  #wake: (() => void) | undefined;
  /** Wakes the loop over incoming packets. */
  #goOn: (() => void) | undefined;
  /** The reason for the end that the peer receives. */
  #error: Error | undefined;

  constructor(incoming: AsyncIterable<Packet>) {
    this.#incoming = incoming;
  }

  measure(onAnswer?: () => void): void {
    // Typed messages come without pings.
    onAnswer?.();
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
    // It ends with the stream, and its errors are the stream's end.
    follow(this, this.#read(handler));
  }

  sendPacket(packet: Packet): boolean {
    if (this.#queuedBytes > maxUnsentBytes) this.destroy(doesNotRead());
    return this.#send(packet);
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    return this.#send(dataPacket(id, payload));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#goOn?.();
  }

  end(error?: Error): void {
    this.#error ??= error;
    this.#become("ending");
  }

  destroy(error: Error): void {
    this.#outgoing.clear();
    this.#error ??= error;
    this.#close({ kind: "failed", error });
  }

  /** {@link Owner}: a handler that throws loses this stream. */
  faulted(error: Error): void {
    this.destroy(error);
  }

  /** The packets to send, for the RPC framework; it ends, or throws, when this side ends. */
  async *outgoing(): AsyncIterableIterator<Packet> {
    try {
      for (;;) {
        const packet = this.#outgoing.shift();
        if (packet !== undefined) {
          yield packet;
          this.#sent(packet);
        } else if (this.#life !== "open") {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      }
    } finally {
      // The framework is done with this stream: the peer is gone, or this side has ended.
      this.#close(this.#error === undefined ? { kind: "ended" } : { kind: "failed", error: this.#error });
    }
  }

  #send(packet: Packet): boolean {
    if (this.#life !== "open") return true;
    this.#outgoing.push(packet);
    this.#queuedBytes += bytesOf(packet);
    this.#full ||= this.#queuedBytes >= highWaterBytes;
    this.#wake?.();
    return !this.#full;
  }

  #sent(packet: Packet): void {
    this.#queuedBytes -= bytesOf(packet);
    if (!this.#full || this.#outgoing.length > 0) return;
    this.#full = false;
    if (this.#life !== "closed") guard(this, () => this.#handler?.onDrain());
  }

  async #read(handler: PacketStreamHandler): Promise<void> {
    try {
      for await (const packet of this.#incoming) {
        if (this.#life === "closed") return;
        this.#deliver(packet, handler);
        while (this.#paused && !this.#isClosed) {
          await new Promise<void>((resolve) => {
            this.#goOn = resolve;
          });
        }
      }
      if (!this.#isClosed) guard(this, () => handler.onEnd());
    } catch (error) {
      this.#close({ kind: "failed", error: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  /** What the handler throws is this side's fault, and no failure of the peer. */
  #deliver(packet: Packet, handler: PacketStreamHandler): void {
    try {
      if (packet.type !== PacketType.DATA || packet.payload.case !== "data") handler.onPacket(packet);
      else if (packet.payload.value.data.length > 0) {
        handler.onData(connectId(packet.payload.value.connectID), packet.payload.value.data);
      }
    } catch (error) {
      fault(this, error);
    }
  }

  #close(end: StreamEnd): void {
    if (this.#become("closed")) guard(this, () => this.#handler?.onClose(end));
  }

  /** Goes on to a later part of its life, and wakes whoever waits. @returns false where it was there already */
  #become(life: "ending" | "closed"): boolean {
    if (this.#life === life || this.#life === "closed") return false;
    this.#life = life;
    this.#wake?.();
    this.#goOn?.();
    return true;
  }

  /** As a getter: the compiler does not see what a wait may have changed. */
  get #isClosed(): boolean {
    return this.#life === "closed";
  }
}

function bytesOf({ payload }: Packet): number {
  switch (payload.case) {
    case "data":
      return packetBytes + payload.value.data.length;
    case "dialResponse":
    case "closeResponse":
      return packetBytes + payload.value.error.length;
    default:
      return packetBytes;
  }
}
