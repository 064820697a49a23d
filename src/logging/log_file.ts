import { type AppendedFile, openAppending } from "./append_file.ts";
import type { LogDestination } from "./log_queue.ts";

/** A log file could not be opened or written to. */
export class LogFileError extends Error {
  override readonly name = "LogFileError";
  readonly code = "log-file-failed";
}

/** Where a log file is and how it ends. */
export interface LogFileOptions {
  /** The path; asked for again when the file is full. The same path again: the file is emptied, as klog does. */
  readonly path: () => string;
  /** Whether it is an error that the file is there already: its name is one that no other program has. */
  readonly mustBeNew: boolean;
  /** Bytes at which the file is full; 0: never. */
  readonly maxBytes: number;
  /** First lines of a file; empty for none. */
  readonly heading: () => string;
}

interface OpenFile {
  readonly file: AppendedFile;
  readonly path: string;
}

/**
 * A log file that appends to what there is and begins anew when it is full. It is opened when first written to; while it, or
 * the one that follows it, cannot be opened, writes throw {@link LogFileError} naming the path.
 */
export class LogFile implements LogDestination, Disposable {
  readonly #options: LogFileOptions;
  #open: OpenFile | undefined;
  #bytes = 0;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { file, path } = this.#openFor(bytes);
    try {
      return this.#count(await file.write(bytes));
    } catch (cause) {
      throw failed(path, cause);
    }
  }

  writeSync(bytes: Uint8Array): number {
    const { file, path } = this.#openFor(bytes);
    return this.#count(attempt(path, () => file.writeSync(bytes)));
  }

  /** Opens it before it is written to. @throws {LogFileError} naming the path */
  open(): OpenFile {
    const path = this.#options.path();
    const file = attempt(path, () => openAppending(path, { mustBeNew: this.#options.mustBeNew }));
    this.#open = { file, path };
    this.#bytes = file.size();
    return this.#headed(this.#open);
  }

  [Symbol.dispose](): void {
    this.#open?.file.close();
  }

  #count(bytes: number): number {
    this.#bytes += bytes;
    return bytes;
  }

  #openFor(bytes: Uint8Array): OpenFile {
    if (this.#open === undefined) return this.open();
    const { maxBytes } = this.#options;
    const isFull = maxBytes > 0 && this.#bytes + bytes.length >= maxBytes;
    return isFull ? this.#begunAnew(this.#open) : this.#open;
  }

  #begunAnew(full: OpenFile): OpenFile {
    if (this.#options.path() !== full.path) {
      try {
        return this.open();
      } finally {
        if (this.#open !== full) full.file.close();
      }
    }
    attempt(full.path, () => full.file.empty());
    this.#bytes = 0;
    return this.#headed(full);
  }

  #headed(open: OpenFile): OpenFile {
    const heading = new TextEncoder().encode(this.#options.heading());
    if (heading.length > 0) this.#count(attempt(open.path, () => open.file.writeSync(heading)));
    return open;
  }
}

/** @throws {LogFileError} naming the path where the step throws */
function attempt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw failed(path, cause);
  }
}

function failed(path: string, cause: unknown): LogFileError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LogFileError(`cannot write the log file ${path}: ${why}`, { cause });
}
