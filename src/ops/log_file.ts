import type { LogDestination } from "./log_queue.ts";

/** A log file could not be opened. */
export class LogFileError extends Error {
  override readonly name = "LogFileError";
  readonly code = "log-file-failed";
}

/** Where a log file is and how it ends. */
export interface LogFileOptions {
  /** The path; asked for again when the file is full. The same path again: the file is emptied, as klog does. */
  readonly path: () => string;
  /** Bytes at which the file is full; 0: never. */
  readonly maxBytes: number;
  /** First lines of a file; empty for none. */
  readonly heading: () => string;
}

/** A log file that appends to what there is and begins anew when it is full. */
export class LogFile implements LogDestination, Disposable {
  readonly #options: LogFileOptions;
  #file: Deno.FsFile;
  #path: string;
  #bytes = 0;

  /** Opens the file. @throws {LogFileError} naming the path */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#path = options.path();
    this.#file = openAppending(this.#path);
    // Its end is its size; asking for that by name would take leave to read what may only be written.
    this.#bytes = this.#file.seekSync(0, Deno.SeekMode.End);
    this.#writeHeading();
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isFullWith(bytes)) this.#beginAnew();
    const written = await this.#file.write(bytes);
    this.#bytes += written;
    return written;
  }

  writeSync(bytes: Uint8Array): number {
    if (this.#isFullWith(bytes)) this.#beginAnew();
    const written = this.#file.writeSync(bytes);
    this.#bytes += written;
    return written;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #isFullWith(bytes: Uint8Array): boolean {
    const { maxBytes } = this.#options;
    return maxBytes > 0 && this.#bytes + bytes.length >= maxBytes;
  }

  #beginAnew(): void {
    const path = this.#options.path();
    if (path === this.#path) {
      this.#file.truncateSync(0);
    } else {
      const next = openAppending(path);
      this.#file.close();
      this.#file = next;
      this.#path = path;
    }
    this.#bytes = 0;
    this.#writeHeading();
  }

  #writeHeading(): void {
    const heading = new TextEncoder().encode(this.#options.heading());
    if (heading.length > 0) this.#bytes += this.#file.writeSync(heading);
  }
}

function openAppending(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { create: true, append: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LogFileError(`cannot write the log file ${path}: ${why}`, { cause });
  }
}
