import { byteAt, readUint32 } from "../../wire/bytes.ts";
import { clientPreface, frameFlag, frameHeaderBytes, frameType, h2Code } from "./frame.ts";
import type { FrameReceiver } from "../frame_receiver.ts";
import { h2Limits } from "../limits.ts";

const nothing = new Uint8Array(0);

/** Cuts what a client sends into frames. The payload of DATA goes on as views of the chunks it came in. */
export class FrameReader {
  readonly #receiver: FrameReceiver;
  /** Bytes of the preface that are still to come. */
  #prefaceRemaining = clientPreface.length;
  /** Bytes of the current DATA frame that are still to come: payload, and padding behind it. */
  #dataRemaining = 0;
  #padRemaining = 0;
  /** The padding's length is still to come: the frame's first byte. */
  #padUnknown = false;
  #inData = false;
  #dataFlags = 0;
  #padding = 0;
  /** An incomplete frame that is not DATA, or an incomplete frame header. */
  #partial: Uint8Array = nothing;
  #partialBytes = 0;
  #stopped = false;
  #yields = false;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** Takes no more bytes; the rest of a chunk is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#partial = nothing;
  }

  /** Leaves what is behind the current frame for another call of {@link push}. */
  yield(): void {
    this.#yields = true;
  }

  /** @returns the rest of the chunk, where {@link yield} was called */
  push(chunk: Uint8Array): Uint8Array | undefined {
    let at = 0;
    this.#yields = false;
    while (at < chunk.length && !this.#stopped) {
      if (this.#yields) return chunk.subarray(at);
      if (this.#prefaceRemaining > 0) at = this.#preface(chunk, at);
      else if (this.#inData) at = this.#data(chunk, at);
      else at = this.#partialBytes > 0 ? this.#continuePartial(chunk, at) : this.#frame(chunk, at);
    }
    return undefined;
  }

  #preface(chunk: Uint8Array, at: number): number {
    while (this.#prefaceRemaining > 0 && at < chunk.length) {
      const expected = byteAt(clientPreface, clientPreface.length - this.#prefaceRemaining);
      if (byteAt(chunk, at) !== expected) {
        this.#fail(h2Code.protocolError, "client preface is missing: this port speaks HTTP/2 only");
        return chunk.length;
      }
      at++;
      this.#prefaceRemaining--;
    }
    return at;
  }

  /** Reads the frame at `at`; keeps it when it is incomplete. */
  #frame(chunk: Uint8Array, at: number): number {
    const have = chunk.length - at;
    if (have >= frameHeaderBytes) {
      const length = this.#checkedLength(chunk, at);
      if (length < 0) return chunk.length;
      if (byteAt(chunk, at + 3) === frameType.data) {
        this.#beginData(chunk, at, length);
        return at + frameHeaderBytes;
      }
      const behind = at + frameHeaderBytes + length;
      if (behind <= chunk.length) {
        this.#emit(chunk, at, length);
        return behind;
      }
    }
    this.#keep(chunk, at, chunk.length);
    return chunk.length;
  }

  /** Completes the partial frame: first its header, then the rest. */
  #continuePartial(chunk: Uint8Array, at: number): number {
    const known = this.#partialBytes >= frameHeaderBytes;
    const wanted = known ? frameHeaderBytes + this.#checkedLength(this.#partial, 0) : frameHeaderBytes;
    const behind = Math.min(at + wanted - this.#partialBytes, chunk.length);
    this.#keep(chunk, at, behind);
    if (this.#partialBytes < wanted) return behind;
    const length = this.#checkedLength(this.#partial, 0);
    if (length < 0) return chunk.length;
    const isData = byteAt(this.#partial, 3) === frameType.data;
    if (!isData && this.#partialBytes < frameHeaderBytes + length) return behind;
    this.#partialBytes = 0;
    if (isData) this.#beginData(this.#partial, 0, length);
    else this.#emit(this.#partial, 0, length);
    if (this.#partialBytes === 0) this.#partial = nothing;
    return behind;
  }

  /** Copies; grows with what really comes, never by what is announced. */
  #keep(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#partialBytes + to - from;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#partial.length, 32));
      grown.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = grown;
    }
    this.#partial.set(chunk.subarray(from, to), this.#partialBytes);
    this.#partialBytes = needed;
  }

  #checkedLength(bytes: Uint8Array, at: number): number {
    const length = (byteAt(bytes, at) << 16) | (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2);
    if (length <= h2Limits.maxFrameBytes) return length;
    this.#fail(h2Code.frameSizeError, `frame of ${length} bytes is larger than ${h2Limits.maxFrameBytes}`);
    return -1;
  }

  #emit(bytes: Uint8Array, at: number, length: number): void {
    const start = at + frameHeaderBytes;
    const payload = bytes.subarray(start, start + length);
    this.#receiver.onFrame(byteAt(bytes, at + 3), byteAt(bytes, at + 4), streamIdAt(bytes, at), payload);
  }

  #beginData(bytes: Uint8Array, at: number, length: number): void {
    const flags = byteAt(bytes, at + 4);
    const padded = (flags & frameFlag.padded) !== 0;
    if (padded && length === 0) return this.#fail(h2Code.frameSizeError, "padded DATA frame without a padding length");
    this.#inData = true;
    this.#dataFlags = flags;
    this.#dataRemaining = length;
    this.#padRemaining = 0;
    this.#padUnknown = padded;
    this.#padding = padded ? 1 : 0;
    this.#receiver.onDataBegin(streamIdAt(bytes, at), length);
    if (length === 0) this.#endData();
  }

  #data(chunk: Uint8Array, at: number): number {
    if (this.#padUnknown) {
      const padding = byteAt(chunk, at);
      this.#padUnknown = false;
      this.#dataRemaining--;
      if (padding > this.#dataRemaining) {
        this.#fail(h2Code.protocolError, "padding is longer than its frame");
        return chunk.length;
      }
      this.#padding += padding;
      this.#padRemaining = padding;
      this.#dataRemaining -= padding;
      at++;
    } else if (this.#dataRemaining > 0) {
      const behind = Math.min(at + this.#dataRemaining, chunk.length);
      this.#dataRemaining -= behind - at;
      this.#receiver.onData(at === 0 && behind === chunk.length ? chunk : chunk.subarray(at, behind));
      at = behind;
    } else {
      const behind = Math.min(at + this.#padRemaining, chunk.length);
      this.#padRemaining -= behind - at;
      at = behind;
    }
    if (this.#dataRemaining === 0 && this.#padRemaining === 0 && !this.#stopped) this.#endData();
    return at;
  }

  #endData(): void {
    this.#inData = false;
    this.#receiver.onDataEnd((this.#dataFlags & frameFlag.endStream) !== 0, this.#padding);
  }

  #fail(code: number, message: string): void {
    this.stop();
    this.#receiver.onFrameError(code, message);
  }
}

/** The reserved bit is ignored (RFC 9113, section 4.1). */
function streamIdAt(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 5) & 0x7fffffff;
}
