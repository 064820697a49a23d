import { byteAt, readUint32 } from "../wire/bytes.ts";
import { frameFlag, h2Code } from "./frames/frame.ts";
import { type DecodedHeaders, HeaderDecoder, HpackError } from "./hpack/header_decoder.ts";
import type { Fault } from "./frames/frame_rules.ts";
import { h2Limits } from "./limits.ts";

/** A complete header block. */
export interface HeaderBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  /** The stream was said to depend on itself (RFC 7540, section 5.3.1). */
  readonly dependsOnItself: boolean;
  /** Absent when the block is not well formed: the connection cannot go on, its tables differ from here. */
  readonly headers: DecodedHeaders | undefined;
}

const nothing = new Uint8Array(0);

/** Assembles header blocks from HEADERS and CONTINUATION frames, within limits, and decodes them. */
export class HeaderBlocks {
  readonly #decoder = new HeaderDecoder(h2Limits.headerTableBytes, h2Limits.maxHeaderListBytes);
  #streamId = 0;
  #endStream = false;
  #dependsOnItself = false;
  #bytes: Uint8Array = nothing;
  #continuations = 0;

  /** The stream whose block is not complete; 0 when there is none. */
  get open(): number {
    return this.#streamId;
  }

  /** Bytes of the block so far. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** Takes a HEADERS frame's payload. */
  begin(flags: number, streamId: number, payload: Uint8Array): Fault | undefined {
    let from = 0;
    let to = payload.length;
    if ((flags & frameFlag.padded) !== 0) {
      to -= byteAt(payload, 0);
      from = 1;
    }
    const priority = (flags & frameFlag.priority) !== 0;
    const dependency = priority ? readUint32(payload, from) & 0x7fffffff : 0;
    if (priority) from += 5;
    if (from > payload.length) {
      return { code: h2Code.frameSizeError, message: "HEADERS frame is too short for its flags" };
    }
    if (from > to) return { code: h2Code.protocolError, message: "padding is longer than its frame" };
    this.#streamId = streamId;
    this.#endStream = (flags & frameFlag.endStream) !== 0;
    this.#dependsOnItself = dependency === streamId;
    this.#continuations = 0;
    const block = payload.subarray(from, to);
    // The reader reuses a frame's memory, so an incomplete block is copied.
    this.#bytes = (flags & frameFlag.endHeaders) !== 0 ? block : block.slice();
    return undefined;
  }

  /** Takes a CONTINUATION frame's payload. */
  add(payload: Uint8Array): Fault | undefined {
    const length = this.#bytes.length + payload.length;
    if (length > h2Limits.maxHeaderBlockBytes || ++this.#continuations > h2Limits.maxContinuations) {
      return {
        code: h2Code.enhanceYourCalm,
        message: `header block is larger than ${h2Limits.maxHeaderBlockBytes} bytes`,
      };
    }
    const joined = new Uint8Array(length);
    joined.set(this.#bytes);
    joined.set(payload, this.#bytes.length);
    this.#bytes = joined;
    return undefined;
  }

  /** The complete block. Every block must be taken, for the table's sake. */
  take(): HeaderBlock {
    const block = {
      streamId: this.#streamId,
      endStream: this.#endStream,
      dependsOnItself: this.#dependsOnItself,
      headers: this.#decode(),
    };
    this.#streamId = 0;
    this.#bytes = nothing;
    return block;
  }

  #decode(): DecodedHeaders | undefined {
    try {
      return this.#decoder.decode(this.#bytes);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      return undefined;
    }
  }
}
