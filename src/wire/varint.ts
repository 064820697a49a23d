import { byteAt } from "./bytes.ts";

/** {@link VarintCursor.readSmall} met a varint of more than four bytes. */
export const varintTooLong = -1;
/** {@link VarintCursor.readSmall} met the end of the bytes inside a varint. */
export const varintCutOff = -2;

/** Bytes that `value` takes as a varint: a safe non-negative integer, or an int64. */
export function varintLength(value: number | bigint): number {
  if (typeof value === "bigint") return bigVarintLength(value);
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes `value`, a safe non-negative integer or an int64, at `at` and returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === "bigint") return writeBigVarint(bytes, at, value);
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

/** Ids that need a bigint come from no agent that is known; clarity over speed. Negative ones take all ten bytes. */
function bigVarintLength(value: bigint): number {
  let length = 1;
  for (let rest = BigInt.asUintN(64, value); rest >= 128n; rest >>= 7n) length++;
  return length;
}

function writeBigVarint(bytes: Uint8Array, at: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) bytes[at++] = Number(rest & 127n) | 128;
  bytes[at++] = Number(rest);
  return at;
}

/** A cursor that reads small varints without allocating: the hot path's only parser. */
export class VarintCursor {
  /** Offset of the next byte. */
  at = 0;

  /**
   * Reads a varint of at most four bytes (28 bits) that ends before `end`.
   * @returns its value, {@link varintTooLong} or {@link varintCutOff}
   */
  readSmall(bytes: Uint8Array, end: number): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.at >= end) return varintCutOff;
      const byte = byteAt(bytes, this.at++);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return varintTooLong;
  }
}
