import { byteAt, joinBytes, readUint32 } from "./bytes.ts";
import { type ConnectId, connectId } from "./connect_id.ts";
import { dataTags } from "./data_header.ts";
import { grpcPrefixBytes, wireLimits } from "./limits.ts";
import { decodePacket, type Packet, PacketType } from "./packet.ts";
import { PacketError } from "./packet_error.ts";
import { VarintCursor } from "./varint.ts";

/** Where a {@link PacketReader} hands packets on, in their order on the wire. */
export interface PacketSink {
  /**
   * Bytes of a DATA packet: never empty, possibly only a piece of the packet (DATA has no message boundaries). The view
   * may be kept: nobody writes to it afterwards.
   */
  onData(id: ConnectId, payload: Uint8Array): void;
  /** Every other packet, whole. Its payload may be missing or of another type: the receiver checks. */
  onPacket(packet: Packet): void;
}

/** Longest header of a DATA packet that the fast path takes: prefix, type, and four small varints with their tags. */
const maxFastHeaderBytes = grpcPrefixBytes + 2 + 1 + 4 + 1 + 4 + 1 + 4;

/**
 * Cuts a byte stream into packets. A DATA packet in the form that every known peer writes is never joined or decoded:
 * its payload goes on as views of the chunks it came in. Anything else is collected whole and decoded by the generated code.
 */
export class PacketReader {
  readonly #sink: PacketSink;
  readonly #cursor = new VarintCursor();
  /** Payload bytes of the current DATA packet that are still to come, and their connection. */
  #payloadLeft = 0;
  #payloadId: ConnectId = 0;
  /** Bytes of a header or of a whole message that is not complete yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** How many bytes must be held before it is worth looking again. */
  #wanted = 0;

  constructor(sink: PacketSink) {
    this.#sink = sink;
  }

  /**
   * Takes the next bytes of the stream and hands on every packet that they complete.
   * @throws {PacketError} when the peer broke the framing; the reader must not be used afterwards
   */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    let at = 0;
    if (this.#payloadLeft > 0) {
      at = Math.min(this.#payloadLeft, bytes.length);
      this.#payloadLeft -= at;
      this.#sink.onData(this.#payloadId, at === bytes.length ? bytes : bytes.subarray(0, at));
      if (at === bytes.length) return;
    }
    if (this.#heldBytes > 0) {
      this.#hold(bytes);
      if (this.#heldBytes < this.#wanted) return;
      bytes = joinBytes(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    while (at < bytes.length) {
      const next = this.#take(bytes, at);
      if (next < 0) {
        this.#hold(at === 0 ? bytes : bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** Tells the reader that the stream ended. @throws {PacketError} `truncated` inside a message */
  end(): void {
    if (this.#heldBytes > 0 || this.#payloadLeft > 0) {
      throw new PacketError("truncated", "stream ended inside a message");
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  /** Handles the message at `at`; returns the offset behind what it took, or -1 when more bytes are needed (`#wanted`). */
  #take(bytes: Uint8Array, at: number): number {
    const have = bytes.length - at;
    if (have < grpcPrefixBytes) {
      this.#wanted = grpcPrefixBytes;
      return -1;
    }
    const messageBytes = readUint32(bytes, at + 1);
    if (byteAt(bytes, at) !== 0) {
      throw new PacketError("compressed", `message flags are ${byteAt(bytes, at)}, but no compression was agreed on`);
    }
    if (messageBytes > wireLimits.maxMessageBytes) {
      throw new PacketError(
        "too-large",
        `received message larger than max (${messageBytes} vs. ${wireLimits.maxMessageBytes})`,
      );
    }
    const whole = grpcPrefixBytes + messageBytes;
    if (messageBytes >= 2) {
      if (have < grpcPrefixBytes + 2) {
        this.#wanted = grpcPrefixBytes + 2;
        return -1;
      }
      if (byteAt(bytes, at + 5) === dataTags.type && byteAt(bytes, at + 6) === PacketType.DATA) {
        const headerBytes = Math.min(whole, maxFastHeaderBytes);
        if (have < headerBytes) {
          this.#wanted = headerBytes;
          return -1;
        }
        const next = this.#takeData(bytes, at, at + whole);
        if (next >= 0) return next;
      }
    }
    if (have < whole) {
      this.#wanted = whole;
      return -1;
    }
    this.#decode(bytes.subarray(at + grpcPrefixBytes, at + whole));
    return at + whole;
  }

  /** The fast path: `08 04 22 n 08 id 1a m payload`, all lengths consistent. Returns -1 for any other form. */
  #takeData(bytes: Uint8Array, at: number, end: number): number {
    const cursor = this.#cursor;
    // Header varints lie within the bytes that #take made sure of, or within the message.
    const limit = Math.min(end, bytes.length);
    cursor.at = at + 8;
    if (byteAt(bytes, at + 7) !== dataTags.data) return -1;
    const inner = cursor.readSmall(bytes, limit);
    if (inner < 0 || cursor.at + inner !== end) return -1;
    let id = 0;
    if (cursor.at < limit && byteAt(bytes, cursor.at) === dataTags.connectId) {
      cursor.at++;
      id = cursor.readSmall(bytes, limit);
      if (id < 0) return -1;
    }
    if (cursor.at >= limit || byteAt(bytes, cursor.at++) !== dataTags.bytes) return -1;
    const payloadBytes = cursor.readSmall(bytes, limit);
    const start = cursor.at;
    if (payloadBytes < 0 || start + payloadBytes !== end) return -1;
    if (payloadBytes === 0) return end;
    const stop = Math.min(end, bytes.length);
    this.#payloadLeft = end - stop;
    this.#payloadId = id;
    if (stop > start) this.#sink.onData(id, bytes.subarray(start, stop));
    return stop;
  }

  #decode(message: Uint8Array): void {
    const packet = decodePacket(message);
    if (packet.type !== PacketType.DATA || packet.payload.case !== "data") {
      this.#sink.onPacket(packet);
      return;
    }
    const { connectID, data } = packet.payload.value;
    if (data.length > 0) this.#sink.onData(connectId(connectID), data);
  }
}
