/** Where bytes of a log go: stderr or a file. */
export interface LogDestination {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** Characters that wait at most for a destination that does not take them. */
export const logQueueLimitChars = 4 * 1024 * 1024;

/** A write that takes longer than this is given up at the end of the process, in milliseconds. */
const stalledAfterMs = 1_000;

/**
 * Writes lines in order without ever blocking: at most one write is under way, what comes meanwhile goes out together.
 * When the destination takes nothing for so long that the queue is full, new lines are dropped and counted, and the
 * count is written once there is room again. A destination that fails (a reader that has gone) is written to no more.
 */
export class LogQueue {
  readonly #destination: LogDestination;
  readonly #droppedLine: (count: number) => string;
  readonly #limitChars: number;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #chars = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  /** When the write under way began, by performance.now(). */
  #writingSince = 0;
  #failed = false;

  /** @param droppedLine says, in the log's format and with a newline, that lines were dropped */
  constructor(
    destination: LogDestination,
    droppedLine: (count: number) => string,
    limitChars: number = logQueueLimitChars,
  ) {
    this.#destination = destination;
    this.#droppedLine = droppedLine;
    this.#limitChars = limitChars;
  }

  /** Adds one line, which ends in a newline. */
  push(line: string): void {
    if (this.#failed) return;
    if (this.#chars + line.length > this.#limitChars) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#writing !== undefined) return;
    this.#writingSince = performance.now();
    this.#writing = this.#write();
  }

  /** A write is under way. */
  get writing(): boolean {
    return this.#writing !== undefined;
  }

  /** Waits until everything is written, but no longer than a second for a destination that takes nothing. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) {
      const chars = this.#chars;
      if (!await endsWithin(this.#writing, stalledAfterMs) && chars === this.#chars) return;
    }
  }

  /** Writes what waits at once, for the end of the process. Gives up on a destination that takes nothing. */
  flushSync(): void {
    if (this.#failed) return;
    if (this.#writing !== undefined && performance.now() - this.#writingSince > stalledAfterMs) return;
    const bytes = this.#take();
    try {
      for (let at = 0; at < bytes.length;) at += this.#destination.writeSync(bytes.subarray(at));
    } catch {
      // There is nowhere left to say so.
      this.#failed = true;
    }
  }

  async #write(): Promise<void> {
    // Lines of one turn go out together, and the caller never waits for the system call.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const bytes = this.#take();
      try {
        for (let at = 0; at < bytes.length;) {
          this.#writingSince = performance.now();
          at += await this.#destination.write(bytes.subarray(at));
        }
      } catch {
        this.#failed = true;
        this.#take();
      }
    }
    this.#writing = undefined;
  }

  #take(): Uint8Array<ArrayBuffer> {
    if (this.#dropped > 0) this.#lines.push(this.#droppedLine(this.#dropped));
    const bytes = this.#encoder.encode(this.#lines.join(""));
    this.#lines = [];
    this.#chars = 0;
    this.#dropped = 0;
    return bytes;
  }
}

async function endsWithin(work: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
