import { Random } from "../random.ts";

/** Prime, so that no size of packets hides a gap. */
const period = 65_521;
/** Most bytes of one piece. */
const tailBytes = 256 * 1024;

const table = tableOf(new Random("bytes"));

function tableOf(random: Random): Uint8Array {
  const bytes = new Uint8Array(period + tailBytes);
  for (let at = 0; at < period; at++) bytes[at] = random.int(256);
  for (let at = period; at < bytes.length; at++) bytes[at] = bytes[at - period] ?? 0;
  return bytes;
}

/** A stream of bytes that tell their place in it, and no two streams have the same ones: what is lost, repeated, swapped or another's shows. */
export class NumberedBytes {
  readonly #salt: number;

  constructor(stream: number) {
    this.#salt = (stream * 7919) % period;
  }

  /** So many bytes of it, from a place on; at most 256 KiB. */
  at(from: number, size: number): Uint8Array {
    const start = (this.#salt + from) % period;
    return table.subarray(start, start + Math.min(size, tailBytes));
  }

  /** Whether these are its bytes from a place on; looks at some of them. */
  holds(from: number, bytes: Uint8Array): boolean {
    const start = (this.#salt + from) % period;
    const { length } = bytes;
    const step = 1 + (length >> 5);
    for (let at = 0; at < length; at += step) if (bytes[at] !== table[(start + at) % period]) return false;
    return bytes[length - 1] === table[(start + length - 1) % period];
  }
}
