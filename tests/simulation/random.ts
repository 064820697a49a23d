/** Numbers that follow from a seed alone. Whoever needs some takes a fork of its own, so that it disturbs nobody else's. */
export class Random {
  readonly #name: string;
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number | string) {
    this.#name = String(seed);
    [this.#a, this.#b, this.#c] = [hashOf(this.#name, 1), hashOf(this.#name, 2), hashOf(this.#name, 3)];
    for (let round = 0; round < 12; round++) this.next();
  }

  /** Uniform in [0, 1): sfc32 (Chris Doty-Humphrey, PractRand). */
  readonly next = (): number => {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return (sum >>> 0) / 2 ** 32;
  };

  /** The numbers of somebody who has a name; they do not depend on how many were taken here. */
  fork(name: string): Random {
    return new Random(`${this.#name}/${name}`);
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** A number in [least, most). */
  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** The same, where small ones are as likely as large ones at each order of magnitude. */
  spread(least: number, most: number): number {
    return least * (most / least) ** this.next();
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of several, of which there is one at least. */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.int(from.length)];
    if (picked === undefined) throw new Error("there is nothing to pick from");
    return picked;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
