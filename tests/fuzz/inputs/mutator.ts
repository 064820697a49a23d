import type { Random } from "../random.ts";

/** Numbers at which lengths, windows and identifiers change their meaning. */
const oddNumbers: readonly [number, ...number[]] = [
  0,
  1,
  0x7f,
  0x80,
  0xff,
  0x100,
  0x3fff,
  0x4000,
  0x7fff,
  0x8000,
  0xffff,
  0x1_0000,
  0xff_ffff,
  0x100_0000,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
];

const encoder = new TextEncoder();

/** All the byte strings that literals of a source stand for. */
export function dictionaryOf(literals: Iterable<string | number | Uint8Array>): Uint8Array[] {
  const entries = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array) => entries.set(bytes.join(), bytes);
  for (const literal of literals) {
    if (literal instanceof Uint8Array) add(literal);
    else if (typeof literal === "string") add(encoder.encode(literal));
    else if (Number.isInteger(literal) && literal > 1) { for (const bytes of numberForms(literal)) add(bytes); }
  }
  return [...entries.values()];
}

/** A number as one byte where it fits, as two and four in either order, and as text. */
function numberForms(value: number): Uint8Array[] {
  const forms = [encoder.encode(String(value))];
  if (value < 0x100) forms.push(Uint8Array.of(value));
  const view = new DataView(new ArrayBuffer(12));
  view.setUint32(0, value);
  view.setUint32(4, value, true);
  view.setUint16(8, value);
  view.setUint16(10, value, true);
  const bytes = new Uint8Array(view.buffer);
  if (value < 0x1_0000) forms.push(bytes.slice(8, 10), bytes.slice(10));
  if (value < 0x1_0000_0000) forms.push(bytes.slice(0, 4), bytes.slice(4, 8));
  return forms;
}

/** Makes inputs of inputs. */
export class Mutator {
  readonly #random: Random;
  readonly #dictionary: readonly Uint8Array[];
  readonly #maxBytes: number;

  constructor(random: Random, dictionary: readonly Uint8Array[], maxBytes: number) {
    this.#random = random;
    this.#dictionary = dictionary;
    this.#maxBytes = maxBytes;
  }

  /** @param other another input of the corpus, whose parts may be used */
  mutate(input: Uint8Array, other: Uint8Array): Uint8Array {
    let result = input;
    for (let count = 1 << this.#random.below(4); count > 0; count--) result = this.#step(result, other);
    return result.length > this.#maxBytes ? result.slice(0, this.#maxBytes) : result;
  }

  /** Repeats a part until an input is large: what costs more than its length, or a call for each byte, shows then. */
  enlarge(input: Uint8Array, bytes: number): Uint8Array {
    const part = this.#part(input);
    if (part.length === 0) return input;
    const run = new Uint8Array(Math.max(0, bytes - input.length));
    for (let at = 0; at < run.length; at++) run[at] = part[at % part.length] ?? 0;
    return this.#replaced(input, this.#place(input), 0, run);
  }

  #step(input: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        return this.#changed(input, (byte) => byte ^ (1 << random.below(8)));
      case 1:
        return this.#changed(input, () => random.below(256));
      case 2:
        return this.#changed(input, (byte) => byte + random.below(33) - 16);
      case 3:
        return this.#replaced(input, this.#place(input), 0, this.#word());
      case 4: {
        const word = this.#word();
        return this.#replaced(input, this.#place(input), word.length, word);
      }
      case 5:
        return this.#replaced(input, this.#place(input), 1 + random.below(random.chance(0.7) ? 4 : 64), nothing);
      case 6:
        return this.#replaced(input, this.#place(input), 0, random.bytes(1 + random.below(8)));
      case 7:
        return this.#replaced(input, this.#place(input), 0, this.#part(input));
      case 8:
        return this.#replaced(input, this.#place(input), 0, this.#part(other));
      case 9: {
        // The start of one and the end of the other.
        const at = this.#place(input);
        return this.#replaced(input, at, input.length, other.subarray(this.#place(other)));
      }
      case 10: {
        const number = this.#number();
        return this.#replaced(input, this.#place(input), number.length, number);
      }
      default:
        return this.#repeated(input);
    }
  }

  #place(input: Uint8Array): number {
    return this.#random.below(input.length + 1);
  }

  #part(input: Uint8Array): Uint8Array {
    const from = this.#place(input);
    return input.subarray(from, from + 1 + this.#random.below(this.#random.chance(0.7) ? 8 : 256));
  }

  #word(): Uint8Array {
    const words = this.#dictionary;
    return words[this.#random.below(words.length)] ?? this.#number();
  }

  #number(): Uint8Array {
    const forms = numberForms(this.#random.pick(oddNumbers));
    return forms[this.#random.below(forms.length)] ?? nothing;
  }

  #changed(input: Uint8Array, change: (byte: number) => number): Uint8Array {
    if (input.length === 0) return this.#random.bytes(1);
    const copy = input.slice();
    const at = this.#random.below(copy.length);
    copy[at] = change(copy[at] ?? 0);
    return copy;
  }

  #repeated(input: Uint8Array): Uint8Array {
    const part = this.#part(input);
    const times = 2 + this.#random.below(this.#random.chance(0.8) ? 4 : 40);
    const run = new Uint8Array(Math.min(part.length * times, this.#maxBytes));
    for (let at = 0; at < run.length; at++) run[at] = part[at % part.length] ?? 0;
    return this.#replaced(input, this.#place(input), 0, run);
  }

  #replaced(input: Uint8Array, at: number, count: number, by: Uint8Array): Uint8Array {
    const behind = Math.min(input.length, at + count);
    const result = new Uint8Array(at + by.length + input.length - behind);
    result.set(input.subarray(0, at));
    result.set(by, at);
    result.set(input.subarray(behind), at + by.length);
    return result;
  }
}

const nothing = new Uint8Array(0);
