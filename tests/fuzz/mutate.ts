import type { Random } from "./random.ts";

/** Values that are odd for lengths, numbers and flags. */
const oddBytes: readonly [number, ...number[]] = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x0a, 0x0d];

/**
 * Mutates a list of valid messages: their bytes, their sizes, their order and their number.
 * @param rate how many of the messages are changed, from 0 (none) to 1
 */
export function mutate(random: Random, messages: readonly Uint8Array[], rate: number): Uint8Array[] {
  const result: Uint8Array[] = [];
  for (const message of messages) {
    if (!random.chance(rate)) {
      result.push(message);
      continue;
    }
    switch (random.below(9)) {
      case 0:
        // Left out.
        break;
      case 1:
        result.push(...Array<Uint8Array>(1 + random.below(20)).fill(message));
        break;
      case 2:
        result.push(message.subarray(0, random.below(message.length + 1)));
        break;
      case 3:
        result.push(message, random.bytes(random.length(10)));
        break;
      case 4: {
        const at = random.below(result.length + 1);
        result.splice(at, 0, message);
        break;
      }
      case 5:
        result.push(spliced(random, message));
        break;
      default:
        result.push(flipped(random, message));
    }
  }
  return result;
}

/** A copy in which a few bytes are others; the first ones, where lengths and types stand, more often. */
function flipped(random: Random, message: Uint8Array): Uint8Array {
  const copy = message.slice();
  if (copy.length === 0) return copy;
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(random.chance(0.5) ? Math.min(16, copy.length) : copy.length);
    const byte = copy[at] ?? 0;
    copy[at] = random.chance(0.4) ? random.pick(oddBytes) : byte ^ (1 << random.below(8));
  }
  return copy;
}

/** A copy with something taken out or put in. */
function spliced(random: Random, message: Uint8Array): Uint8Array {
  const from = random.below(message.length + 1);
  const to = Math.min(message.length, from + random.below(8));
  const inserted = random.bytes(random.below(8));
  const result = new Uint8Array(from + inserted.length + message.length - to);
  result.set(message.subarray(0, from));
  result.set(inserted, from);
  result.set(message.subarray(to), from + inserted.length);
  return result;
}
