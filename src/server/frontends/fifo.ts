/** Taken places at the front are cleared away once there are so many, and as many as what is still queued. */
const compactFrom = 1024;

/** A queue whose oldest item is taken at the same cost however many are behind it: an array's `shift` moves all of them. */
export class Fifo<Item extends object> {
  #items: (Item | undefined)[] = [];
  /** Where the oldest is. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** The oldest item, removed; undefined when there is none. */
  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= compactFrom && 2 * this.#head >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
