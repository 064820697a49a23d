import { byteAt } from "./bytes.ts";

/** Most bytes of a base-128 varint: ten for 64 bits (protobuf encoding, "Base 128 Varints"). */
export const maxVarintBytes = 10;

/** Bytes that `value`, a safe non-negative integer, takes as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes `value`, a safe non-negative integer, at `at` and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    bytes[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** A cursor that reads small varints without allocating: the hot path's only parser. */
export class VarintCursor {
  /** Offset of the next byte. */
  at = 0;

  /**
   * Reads a varint of at most four bytes (28 bits) that ends before `end`. Returns -1 when it is longer or cut off:
   * the caller then takes the general path.
   */
  readSmall(bytes: Uint8Array, end: number): number {
    let value = 0;
    for (let shift = 0; shift < 28 && this.at < end; shift += 7) {
      const byte = byteAt(bytes, this.at++);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return -1;
  }
}
