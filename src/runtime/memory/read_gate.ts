/** A socket whose reading can be stopped and goes on later. */
export interface GatedReader {
  /** Stops its reading, or lets it go on. */
  gate(closed: boolean): void;
}

/** What a gate judges by. */
export interface ReadGateOptions {
  /** Bytes that may wait in buffers; beyond, nothing more is read of the sockets behind the gate. */
  readonly mostBytes: number;
  /** Bytes that buffers outside of the engine's heap take, those included that nobody uses any more. */
  readonly heldBytes: () => number;
  /** Frees the buffers that nobody uses any more. */
  readonly collect: () => void;
  /** Calls back once, later. @returns what cancels that */
  readonly after: (ms: number, step: () => void) => () => void;
}

/** How soon a closed gate is judged anew, in milliseconds: a collection each time, which takes ten of them. */
const judgeAgainMs = 100;
/** How often it is judged until it opens in any case, so that those whose bytes wait for nobody are not held for ever. */
const mostJudgements = 3;

/**
 * Holds sockets back whose bytes would have to wait in this process, while what waits already is more than there is memory
 * for. Each socket that is read brings up to 64 KiB before its owner can stop it, which is no matter for one and tens of
 * megabytes for hundreds whose clients are slow.
 */
export class ReadGate {
  readonly #options: ReadGateOptions;
  readonly #readers = new Set<GatedReader>();
  #closed = false;
  #cancel = () => {};

  constructor(options: ReadGateOptions) {
    this.#options = options;
  }

  /** Nothing is read of the sockets behind it. */
  get closed(): boolean {
    return this.#closed;
  }

  add(reader: GatedReader): void {
    this.#readers.add(reader);
    if (this.#closed) reader.gate(true);
  }

  delete(reader: GatedReader): void {
    this.#readers.delete(reader);
  }

  /** To be called whenever sockets have read some more. */
  judge(): void {
    if (!this.#closed && !this.#fits()) this.#close(1);
  }

  /** Opens for good. */
  [Symbol.dispose](): void {
    this.#open();
    this.#readers.clear();
  }

  #fits(): boolean {
    const { mostBytes, heldBytes, collect } = this.#options;
    if (heldBytes() <= mostBytes) return true;
    collect();
    return heldBytes() <= mostBytes;
  }

  #close(judgements: number): void {
    if (!this.#closed) {
      this.#closed = true;
      for (const reader of this.#readers) reader.gate(true);
    }
    this.#cancel = this.#options.after(judgeAgainMs, () => {
      if (judgements >= mostJudgements || this.#fits()) this.#open();
      else this.#close(judgements + 1);
    });
  }

  #open(): void {
    this.#cancel();
    if (!this.#closed) return;
    this.#closed = false;
    for (const reader of this.#readers) reader.gate(false);
  }
}
