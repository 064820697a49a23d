/** Where bytes of a log go: stderr or a file. */
export interface LogDestination {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** Characters that wait at most for a destination that does not take them. */
export const logQueueLimitChars = 4 * 1024 * 1024;

/** How a queue works; tests choose. */
export interface LogQueueOptions {
  readonly limitChars?: number;
  /** Milliseconds since some moment. */
  readonly now?: () => number;
  /** The destination takes nothing from now on; called once until it takes something again. */
  readonly onFailure?: (error: unknown) => void;
}

/** When a destination that failed is tried again, with the next line, in milliseconds. */
const retryAfterMs = 5_000;

const newline = 10;

/** A write that takes longer than this is given up at the end of the process, in milliseconds. */
const stalledAfterMs = 1_000;

/**
 * Writes lines in order without ever blocking: at most one write is in flight, what comes meanwhile goes out together.
 * When the destination takes nothing for so long that the queue is full, new lines are dropped and counted, and the
 * count is written once there is room again. So too while a destination fails: a disk that is full may have room again.
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
  /** When the write in flight began, by performance.now(). */
  #writingSince = 0;
  /** When the last write failed, by performance.now(); undefined: it did not. */
  #failedAt: number | undefined;
  /** It took a part of a line before it failed. */
  #torn = false;
  readonly #now: () => number;
  readonly #onFailure: (error: unknown) => void;

  /** @param droppedLine says, in the log's format and with a newline, that lines were dropped */
  constructor(
    destination: LogDestination,
    droppedLine: (count: number) => string,
    { limitChars = logQueueLimitChars, now = () => performance.now(), onFailure = () => {} }: LogQueueOptions = {},
  ) {
    this.#now = now;
    this.#onFailure = onFailure;
    this.#destination = destination;
    this.#droppedLine = droppedLine;
    this.#limitChars = limitChars;
  }

  /** Adds one line, which ends in a newline. */
  push(line: string): void {
    if (this.#resting) {
      this.#dropped++;
      return;
    }
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

  /** A write is in flight. */
  get writing(): boolean {
    return this.#writing !== undefined;
  }

  /** It failed a moment ago. */
  get #resting(): boolean {
    return this.#failedAt !== undefined && this.#now() - this.#failedAt < retryAfterMs;
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
    if (this.#resting) return;
    if (this.#writing !== undefined && performance.now() - this.#writingSince > stalledAfterMs) return;
    const bytes = this.#take();
    try {
      for (let at = 0; at < bytes.length;) at += this.#destination.writeSync(bytes.subarray(at));
    } catch {
      // There is nowhere left to say so.
      this.#failedAt = this.#now();
    }
  }

  async #write(): Promise<void> {
    // Lines of one turn go out together, and the caller never waits for the system call.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines.length + this.#dropped;
      const bytes = this.#take();
      let at = 0;
      try {
        while (at < bytes.length) {
          this.#writingSince = performance.now();
          at += await this.#destination.write(bytes.subarray(at));
        }
        this.#failedAt = undefined;
      } catch (error) {
        if (this.#failedAt === undefined) this.#onFailure(error);
        this.#failedAt = this.#now();
        this.#torn ||= at > 0 && bytes[at - 1] !== newline;
        this.#drop(lines);
      }
    }
    this.#writing = undefined;
  }

  /** Counts what was lost with a write that failed, and what came meanwhile. */
  #drop(lines: number): void {
    this.#dropped += lines + this.#lines.length;
    this.#lines = [];
    this.#chars = 0;
  }

  #take(): Uint8Array<ArrayBuffer> {
    if (this.#dropped > 0) this.#lines.push(this.#droppedLine(this.#dropped));
    // What comes after half a line begins a line of its own.
    const bytes = this.#encoder.encode((this.#torn ? "\n" : "") + this.#lines.join(""));
    this.#torn = false;
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
