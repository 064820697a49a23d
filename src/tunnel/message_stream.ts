import { type ConnectId, connectId } from "../wire/connect_id.ts";
import { dataPacket, type Packet, PacketType } from "../wire/packet.ts";
import type { PacketStream, PacketStreamHandler, StreamEnd } from "./packet_stream.ts";

/** Payload bytes that may wait for a slow peer before senders are told to hold back. */
const highWaterBytes = 256 * 1024;

/**
 * A packet stream over typed messages: what an RPC framework hands to a handler and takes from it as async iterables.
 * Slower than a stream of bytes, and the way for peers that speak another protocol than gRPC.
 */
export class MessageStream implements PacketStream {
  readonly roundTripMs = 0;
  readonly #incoming: AsyncIterable<Packet>;
  #handler: PacketStreamHandler | undefined;
  #outgoing: Packet[] = [];
  #queuedBytes = 0;
  #full = false;
  /** Wakes the reader of {@link outgoing}. */
  #wake: (() => void) | undefined;
  /** Wakes the loop over incoming packets. */
  #goOn: (() => void) | undefined;
  #paused = false;
  #ending = false;
  #closed = false;
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
    void this.#read(handler);
  }

  sendPacket(packet: Packet): boolean {
    if (this.#ending || this.#closed) return true;
    this.#outgoing.push(packet);
    this.#wake?.();
    return !this.#full;
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    if (this.#ending || this.#closed) return true;
    this.#queuedBytes += payload.length;
    this.#full ||= this.#queuedBytes >= highWaterBytes;
    return this.sendPacket(dataPacket(id, payload));
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
    this.#ending = true;
    this.#wake?.();
  }

  destroy(error: Error): void {
    this.#outgoing = [];
    this.end(error);
    this.#close({ kind: "failed", error });
  }

  /** The packets to send, for the RPC framework; it ends, or throws, when this side ends. */
  async *outgoing(): AsyncIterableIterator<Packet> {
    try {
      for (;;) {
        const packet = this.#outgoing.shift();
        if (packet !== undefined) {
          yield packet;
          if (packet.payload.case === "data") this.#sent(packet.payload.value.data.length);
        } else if (this.#ending) {
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

  #sent(bytes: number): void {
    this.#queuedBytes -= bytes;
    if (!this.#full || this.#queuedBytes > 0) return;
    this.#full = false;
    this.#handler?.onDrain();
  }

  async #read(handler: PacketStreamHandler): Promise<void> {
    try {
      for await (const packet of this.#incoming) {
        if (this.#closed) return;
        if (packet.type !== PacketType.DATA || packet.payload.case !== "data") handler.onPacket(packet);
        else if (packet.payload.value.data.length > 0) {
          handler.onData(connectId(packet.payload.value.connectID), packet.payload.value.data);
        }
        while (this.#paused && !this.#closed) {
          await new Promise<void>((resolve) => {
            this.#goOn = resolve;
          });
        }
      }
      if (!this.#closed) handler.onEnd();
    } catch (error) {
      this.#close({ kind: "failed", error: error instanceof Error ? error : new Error(String(error)) });
      this.end();
    }
  }

  #close(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#goOn?.();
    this.#handler?.onClose(end);
  }
}
