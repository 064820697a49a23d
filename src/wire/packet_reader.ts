import { byteAt, readUint32 } from "./bytes.ts";
import { type ConnectId, connectId } from "./connect_id.ts";
import { dataTags } from "./data_header.ts";
import { grpcPrefixBytes, wireLimits } from "./limits.ts";
import { maxLinkFrameBytes } from "./link_frame.ts";
import { decodePacket, type Packet, PacketType } from "./packet.ts";
import type { PacketCounts } from "./packet_counts.ts";
import { PacketError } from "./packet_error.ts";
import { VarintCursor, varintCutOff } from "./varint.ts";

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

/** Takes the body of a message that is no packet: a frame of a direct link. The body is only valid during the call. */
export type FrameHandler = (kind: number, body: Uint8Array) => void;

/** Results of the parsing steps beside an offset: more bytes are needed, or the DATA packet has an unusual form. */
const more = -1;
const unusual = -2;

const nothing = new Uint8Array(0);
/** First size of the buffer that an incomplete message is collected in; it doubles as bytes really come. */
const firstHeldBytes = 64;

/** Shared by all readers: no parsing step calls out while it uses the cursor. */
const cursor = new VarintCursor();

/**
 * Cuts a byte stream into packets. A DATA packet in the form that every known peer writes is never joined or decoded:
 * its payload goes on as views of the chunks it came in. Anything else is collected whole and decoded.
 */
export class PacketReader {
  readonly #sink: PacketSink;
  readonly #counts: PacketCounts | undefined;
  /** Payload bytes of the current DATA packet that are still to come, and their connection. */
  #payloadLeft = 0;
  #payloadId: ConnectId = 0;
  /**
   * The first `#heldBytes` bytes of a header or of a whole message that is not complete yet. Copied here, so that a peer
   * that sends byte by byte costs neither a chunk for each byte nor a join for each chunk.
   */
  #held: Uint8Array = nothing;
  #heldBytes = 0;
  /** How many bytes must be held before it is worth looking again. */
  #wanted = 0;

  readonly #onFrame: FrameHandler | undefined;

  /**
   * @param counts where packets and payload bytes are counted as they are read: a DATA packet once, by its header
   * @param onFrame takes messages whose first byte is not zero; without it they are refused, as gRPC has it
   */
  constructor(sink: PacketSink, counts?: PacketCounts, onFrame?: FrameHandler) {
    this.#sink = sink;
    this.#counts = counts;
    this.#onFrame = onFrame;
  }

  /**
   * Takes the next bytes of the stream and hands on every packet that they complete.
   * @throws {PacketError} when the peer broke the framing; the reader must not be used afterwards
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        at = this.#continuePayload(chunk, at);
      } else if (this.#heldBytes > 0) {
        at = this.#continueHeld(chunk, at);
      } else {
        const next = this.#take(chunk, at);
        if (next === more) return this.#hold(at === 0 ? chunk : chunk.subarray(at));
        at = next;
      }
    }
  }

  /** Tells the reader that the stream ended. @throws {PacketError} `truncated` inside a message */
  end(): void {
    if (this.#heldBytes > 0 || this.#payloadLeft > 0) {
      throw new PacketError("truncated", "stream ended inside a message");
    }
  }

  /** Hands on the chunk's share of a payload whose header was read before; returns the offset behind it. */
  #continuePayload(chunk: Uint8Array, at: number): number {
    const behind = Math.min(at + this.#payloadLeft, chunk.length);
    this.#payloadLeft -= behind - at;
    this.#deliver(this.#payloadId, at === 0 && behind === chunk.length ? chunk : chunk.subarray(at, behind));
    return behind;
  }

  /** Adds to the held bytes exactly what they lack, so that nothing behind it is copied; returns the offset behind it. */
  #continueHeld(chunk: Uint8Array, at: number): number {
    const behind = Math.min(at + this.#wanted - this.#heldBytes, chunk.length);
    this.#hold(at === 0 && behind === chunk.length ? chunk : chunk.subarray(at, behind));
    if (this.#heldBytes < this.#wanted) return behind;
    const held = this.#held.subarray(0, this.#heldBytes);
    const next = this.#take(held, 0);
    if (next === more) return behind;
    // #wanted grows by what is surely needed, so a message or header that is complete now ends with the held bytes.
    this.#held = nothing;
    this.#heldBytes = 0;
    return behind;
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#heldBytes + bytes.length;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.#wanted, 2 * this.#held.length), firstHeldBytes));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes = needed;
  }

  /** Handles the message at `at`; returns the offset behind what it took, or `more` (and says how much in `#wanted`). */
  #take(bytes: Uint8Array, at: number): number {
    const have = bytes.length - at;
    if (have < grpcPrefixBytes) return this.#want(grpcPrefixBytes);
    const messageBytes = readUint32(bytes, at + 1);
    if (byteAt(bytes, at) !== 0) return this.#takeFrame(bytes, at, messageBytes);
    if (messageBytes > wireLimits.maxMessageBytes) {
      throw new PacketError(
        "too-large",
        `received message larger than max (${messageBytes} vs. ${wireLimits.maxMessageBytes})`,
      );
    }
    const whole = grpcPrefixBytes + messageBytes;
    if (messageBytes >= 2) {
      if (have < grpcPrefixBytes + 2) return this.#want(grpcPrefixBytes + 2);
      if (byteAt(bytes, at + 5) === dataTags.type && byteAt(bytes, at + 6) === PacketType.DATA) {
        const next = this.#takeData(bytes, at + grpcPrefixBytes + 2, at + whole);
        if (next === more) return this.#want(have + 1);
        if (next !== unusual) return next;
      }
    }
    if (have < whole) return this.#want(whole);
    this.#decode(bytes.subarray(at + grpcPrefixBytes, at + whole));
    return at + whole;
  }

  #want(bytes: number): typeof more {
    this.#wanted = bytes;
    return more;
  }

  /**
   * The fast path: `22 n 08 id 1a m payload` up to `end`, all lengths consistent. Returns the offset behind what is there
   * of it, `more` when its header is cut off, `unusual` for any other form.
   */
  #takeData(bytes: Uint8Array, at: number, end: number): number {
    const limit = Math.min(end, bytes.length);
    // What is missing may still come, or the message ends where it is missing.
    const missing = limit < end ? more : unusual;
    if (at >= limit) return missing;
    if (byteAt(bytes, at) !== dataTags.data) return unusual;
    cursor.at = at + 1;
    const inner = cursor.readSmall(bytes, limit);
    if (inner < 0) return inner === varintCutOff ? missing : unusual;
    if (cursor.at + inner !== end) return unusual;
    let id = 0;
    if (byteAt(bytes, cursor.at) === dataTags.connectId) {
      cursor.at++;
      id = cursor.readSmall(bytes, limit);
      if (id < 0) return id === varintCutOff ? missing : unusual;
    }
    if (cursor.at >= limit) return missing;
    if (byteAt(bytes, cursor.at++) !== dataTags.bytes) return unusual;
    const payloadBytes = cursor.readSmall(bytes, limit);
    if (payloadBytes < 0) return payloadBytes === varintCutOff ? missing : unusual;
    const start = cursor.at;
    if (start + payloadBytes !== end) return unusual;
    this.#counts?.data();
    this.#payloadLeft = end - limit;
    this.#payloadId = id;
    if (limit > start) this.#deliver(id, bytes.subarray(start, limit));
    return limit;
  }

  #takeFrame(bytes: Uint8Array, at: number, bodyBytes: number): number {
    const kind = byteAt(bytes, at);
    if (this.#onFrame === undefined) {
      throw new PacketError("compressed", `message flags are ${kind}, but no compression was agreed on`);
    }
    if (bodyBytes > maxLinkFrameBytes) {
      throw new PacketError(
        "too-large",
        `frame of kind ${kind} has ${bodyBytes} bytes, more than ${maxLinkFrameBytes}`,
      );
    }
    const behind = at + grpcPrefixBytes + bodyBytes;
    if (bytes.length < behind) return this.#want(grpcPrefixBytes + bodyBytes);
    this.#onFrame(kind, bytes.subarray(at + grpcPrefixBytes, behind));
    return behind;
  }

  #decode(message: Uint8Array): void {
    const packet = decodePacket(message);
    if (packet.type !== PacketType.DATA || packet.payload.case !== "data") {
      this.#counts?.packet(packet.type);
      this.#sink.onPacket(packet);
      return;
    }
    this.#counts?.data();
    const { connectID, data } = packet.payload.value;
    // Empty DATA is never delivered: the original's client would read it as the end of its connection.
    if (data.length > 0) this.#deliver(connectId(connectID), data);
  }

  #deliver(id: ConnectId, payload: Uint8Array): void {
    this.#counts?.bytes(payload.length);
    this.#sink.onData(id, payload);
  }
}
