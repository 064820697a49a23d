import { byteAt, readUint32 } from "../wire/bytes.ts";
import { clientPreface, frameFlag, frameHeaderBytes, frameType, h2Code } from "./frame.ts";
import { h2Limits } from "./limits.ts";

/** Where a {@link FrameReader} hands frames on. */
export interface FrameSink {
  /** A whole frame that is not DATA. The payload must be read now: its memory is used again. */
  onFrame(type: number, flags: number, streamId: number, payload: Uint8Array): void;
  /** A DATA frame begins. @param length bytes that count for flow control, padding included */
  onDataBegin(streamId: number, length: number): void;
  /** Bytes of the DATA frame's payload, never empty; the view may be kept. */
  onData(bytes: Uint8Array): void;
  /** The DATA frame is complete. @param paddingBytes bytes of it that were padding, the padding's length among them */
  onDataEnd(endStream: boolean, paddingBytes: number): void;
  /** The bytes are no HTTP/2. The reader takes nothing more. */
  onFrameError(code: number, message: string): void;
}

const nothing = new Uint8Array(0);

/** Cuts what a client sends into frames. The payload of DATA goes on as views of the chunks it came in. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** Bytes of the preface that are still to come. */
  #prefaceLeft = clientPreface.length;
  /** Bytes of the current DATA frame that are still to come: payload, and padding behind it. */
  #dataLeft = 0;
  #padLeft = 0;
  /** The padding's length is still to come: the frame's first byte. */
  #padUnknown = false;
  #inData = false;
  #dataFlags = 0;
  #padding = 0;
  /** An incomplete frame that is not DATA, or an incomplete frame header. */
  #held: Uint8Array = nothing;
  #heldBytes = 0;
  #stopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes no more bytes; what is left of a chunk is dropped. */
  stop(): void {
    this.#stopped = true;
    this.#held = nothing;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#prefaceLeft > 0) at = this.#preface(chunk, at);
      else if (this.#inData) at = this.#data(chunk, at);
      else at = this.#heldBytes > 0 ? this.#continueHeld(chunk, at) : this.#frame(chunk, at);
    }
  }

  #preface(chunk: Uint8Array, at: number): number {
    while (this.#prefaceLeft > 0 && at < chunk.length) {
      const expected = byteAt(clientPreface, clientPreface.length - this.#prefaceLeft);
      if (byteAt(chunk, at) !== expected) {
        this.#fail(h2Code.protocolError, "client preface is missing: this port speaks HTTP/2 only");
        return chunk.length;
      }
      at++;
      this.#prefaceLeft--;
    }
    return at;
  }

  /** Reads the frame at `at`; holds it when it is incomplete. */
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
    this.#hold(chunk, at, chunk.length);
    return chunk.length;
  }

  /** Adds what the held frame lacks: first its header, then the rest. */
  #continueHeld(chunk: Uint8Array, at: number): number {
    const known = this.#heldBytes >= frameHeaderBytes;
    const wanted = known ? frameHeaderBytes + this.#checkedLength(this.#held, 0) : frameHeaderBytes;
    const behind = Math.min(at + wanted - this.#heldBytes, chunk.length);
    this.#hold(chunk, at, behind);
    if (this.#heldBytes < wanted) return behind;
    const length = this.#checkedLength(this.#held, 0);
    if (length < 0) return chunk.length;
    const isData = byteAt(this.#held, 3) === frameType.data;
    if (!isData && this.#heldBytes < frameHeaderBytes + length) return behind;
    this.#heldBytes = 0;
    if (isData) this.#beginData(this.#held, 0, length);
    else this.#emit(this.#held, 0, length);
    if (this.#heldBytes === 0) this.#held = nothing;
    return behind;
  }

  /** Copies; grows with what really comes, never by what is announced. */
  #hold(chunk: Uint8Array, from: number, to: number): void {
    const needed = this.#heldBytes + to - from;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#held.length, 32));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(chunk.subarray(from, to), this.#heldBytes);
    this.#heldBytes = needed;
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
    this.#sink.onFrame(byteAt(bytes, at + 3), byteAt(bytes, at + 4), streamIdAt(bytes, at), payload);
  }

  #beginData(bytes: Uint8Array, at: number, length: number): void {
    const flags = byteAt(bytes, at + 4);
    const padded = (flags & frameFlag.padded) !== 0;
    if (padded && length === 0) return this.#fail(h2Code.frameSizeError, "padded DATA frame without a padding length");
    this.#inData = true;
    this.#dataFlags = flags;
    this.#dataLeft = length;
    this.#padLeft = 0;
    this.#padUnknown = padded;
    this.#padding = padded ? 1 : 0;
    this.#sink.onDataBegin(streamIdAt(bytes, at), length);
    if (length === 0) this.#endData();
  }

  #data(chunk: Uint8Array, at: number): number {
    if (this.#padUnknown) {
      const padding = byteAt(chunk, at);
      this.#padUnknown = false;
      this.#dataLeft--;
      if (padding > this.#dataLeft) {
        this.#fail(h2Code.protocolError, "padding is longer than its frame");
        return chunk.length;
      }
      this.#padding += padding;
      this.#padLeft = padding;
      this.#dataLeft -= padding;
      at++;
    } else if (this.#dataLeft > 0) {
      const behind = Math.min(at + this.#dataLeft, chunk.length);
      this.#dataLeft -= behind - at;
      this.#sink.onData(at === 0 && behind === chunk.length ? chunk : chunk.subarray(at, behind));
      at = behind;
    } else {
      const behind = Math.min(at + this.#padLeft, chunk.length);
      this.#padLeft -= behind - at;
      at = behind;
    }
    if (this.#dataLeft === 0 && this.#padLeft === 0 && !this.#stopped) this.#endData();
    return at;
  }

  #endData(): void {
    this.#inData = false;
    this.#sink.onDataEnd((this.#dataFlags & frameFlag.endStream) !== 0, this.#padding);
  }

  #fail(code: number, message: string): void {
    this.stop();
    this.#sink.onFrameError(code, message);
  }
}

/** The reserved bit is ignored (RFC 9113, section 4.1). */
function streamIdAt(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 5) & 0x7fffffff;
}
