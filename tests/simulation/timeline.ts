/**
 * What happened in a run: always as a number that two runs share only where they are the same to the packet, and as lines where
 * somebody wants to read them.
 */
export class Timeline {
  readonly lines: string[] = [];
  readonly #now: () => number;
  readonly #recording: boolean;
  #hash = 0x811c9dc5;
  #count = 0;

  constructor(now: () => number, recording: boolean) {
    this.#now = now;
    this.#recording = recording;
  }

  /** Of everything so far. */
  get hash(): string {
    return `${this.#count}-${(this.#hash >>> 0).toString(16)}`;
  }

  /** A packet arrived, which two numbers describe. */
  packet(a: number, b: number): void {
    this.#count++;
    this.#hash = Math.imul(this.#hash ^ a, 0x01000193);
    this.#hash = Math.imul(this.#hash ^ b ^ Math.round(this.#now() * 1024), 0x01000193);
  }

  /** Something happened that is worth a line; the text is made only where lines are kept. */
  note(text: () => string): void {
    this.#count++;
    if (!this.#recording) return;
    this.lines.push(`${(this.#now() / 1000).toFixed(3).padStart(9)} s  ${text()}`);
  }
}
