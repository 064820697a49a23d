import { type AppendedFile, openAppending } from "../logging/append_file.ts";
import { getLogger } from "@logtape/logtape";
import { follow, ownerOf } from "../faults/owned.ts";

const log = getLogger(["audit"]);

/** The audit log could not be opened. */
export class AuditLogError extends Error {
  override readonly name = "AuditLogError";
  readonly code = "audit-log-failed";
}

/** Where the lines go. */
export interface AuditDestination {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  /** Begins to write to what its path leads to now, which may be another file. @throws where that cannot be opened */
  reopen(): Promise<void>;
  close(): void;
}

/** Bounds of an audit log; the defaults hold some 5,000 lines while the disk is full or slow. */
export interface AuditLimits {
  /** Bytes that wait at most for the destination; a line that does not fit is lost. */
  readonly queueBytes: number;
  /** How long lines are gathered for one write, in milliseconds, and how many bytes at most: a write costs as much as ten lines. */
  readonly gatherMs: number;
  readonly gatherBytes: number;
  /** How long a destination that failed is left alone, in milliseconds. */
  readonly retryMs: number;
  /** How long the end waits for a destination that takes nothing, in milliseconds. */
  readonly closeMs: number;
}

export const auditLimits: AuditLimits = {
  queueBytes: 4 * 1024 * 1024,
  gatherMs: 50,
  gatherBytes: 64 * 1024,
  retryMs: 1_000,
  closeMs: 5_000,
};

const newline = 0x0a;

/**
 * Writes lines in order without ever blocking or ending its process: at most one write is in flight, and what a failing
 * destination has not taken is kept and tried again. What does not fit into the bounded queue meanwhile is counted, and the
 * count is written once there is room, as a line `{"event":"lost","count":N}`.
 */
export class AuditLog implements AsyncDisposable {
  readonly #destination: AuditDestination;
  readonly #limits: AuditLimits;
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  /** Of the lines that wait, and of those that are being written. */
  #bytes = 0;
  /** Lines that are being written, and how much of them has been. */
  #pending = new Uint8Array();
  #written = 0;
  #lost = 0;
  #lostSinceLine = 0;
  #running: Promise<void> | undefined;
  #inFlight = false;
  #reopening = false;
  #failing = false;
  #gathering = false;
  /** The end waits for what is left. */
  #ending = false;
  #ended = false;
  /** Ends the wait of a destination that failed. */
  #wake: () => void = () => {};

  constructor(destination: AuditDestination, limits: AuditLimits = auditLimits) {
    this.#destination = destination;
    this.#limits = limits;
  }

  /** Lines that were lost since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Adds one line, a JSON object without a line break. */
  readonly write = (line: string): void => {
    // Characters beyond ASCII are escaped as JSON has it: they can turn a terminal's text around, and each is one byte so.
    const ascii = `${line.replaceAll(/[^\x20-\x7e]/g, escaped)}\n`;
    if (this.#ended || this.#bytes + ascii.length > this.#limits.queueBytes) return this.#lose(1);
    this.#lines.push(ascii);
    this.#bytes += ascii.length;
    this.#start();
    if (this.#gathering && this.#bytes >= this.#limits.gatherBytes) this.#wake();
  };

  #start(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run();
    follow(ownerOf("log"), this.#running);
  }

  /** Begins to write to what the path leads to now, after what is being written: whoever rotates files moves one away first. */
  reopen(): void {
    this.#reopening = true;
    this.#wake();
    this.#start();
  }

  /** Writes what waits at once, for the end of a process that does not wait. */
  flushSync(): void {
    if (this.#ended) return;
    this.#ended = true;
    const rest = this.#encoder.encode(this.#takeText());
    // What is in flight in another thread is not written twice.
    const parts = this.#inFlight ? [rest] : [this.#pending.subarray(this.#written), rest];
    try {
      for (const bytes of parts) {
        for (let at = 0; at < bytes.length;) at += this.#destination.writeSync(bytes.subarray(at));
      }
    } catch {
      // There is nowhere left to say so.
    }
  }

  /** Waits until everything is written, or for so long as the limits say. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ending = true;
    this.#wake();
    const timer = Promise.withResolvers<void>();
    const id = setTimeout(timer.resolve, this.#limits.closeMs);
    while (this.#running !== undefined && await Promise.race([this.#running.then(() => true), timer.promise]));
    clearTimeout(id);
    this.#ended = true;
    this.#wake();
    if (this.#bytes > 0) {
      log.error("audit log: {bytes} bytes could not be written before the end", { bytes: this.#bytes });
    }
    this.#destination.close();
  }

  async #run(): Promise<void> {
    // The caller never waits for the system call.
    await Promise.resolve();
    while (!this.#ended && (this.#reopening || this.#bytes > 0 || this.#lostSinceLine > 0)) {
      if (this.#written === this.#pending.length) await this.#gather();
      if (this.#ended) break;
      if (this.#reopening) await this.#reopen();
      if (this.#written === this.#pending.length) this.#take();
      if (this.#bytes === 0) continue;
      try {
        this.#inFlight = true;
        const count = await this.#destination.write(this.#pending.subarray(this.#written));
        if (count === 0) throw new Error("nothing was taken");
        this.#written += count;
        this.#bytes -= count;
        if (this.#failing) log.info("audit log: writing again, {lost} lines are lost so far", { lost: this.#lost });
        this.#failing = false;
      } catch (error) {
        await this.#failed(error);
      } finally {
        this.#inFlight = false;
      }
    }
    this.#running = undefined;
  }

  #take(): void {
    this.#pending = this.#encoder.encode(this.#takeText());
    this.#written = 0;
    this.#bytes = this.#pending.length;
  }

  #takeText(): string {
    const lost = this.#lostSinceLine;
    if (lost > 0) this.#lines.push(`{"time":"${new Date().toISOString()}","event":"lost","count":${lost}}\n`);
    const text = this.#lines.join("");
    this.#lines = [];
    this.#lostSinceLine = 0;
    return text;
  }

  #lose(lines: number): void {
    this.#lost += lines;
    this.#lostSinceLine += lines;
  }

  async #failed(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    if (!this.#failing) log.error("cannot write the audit log, trying again: {reason}", { reason });
    this.#failing = true;
    if (this.#reopening || this.#ended) return;
    await this.#wait(this.#limits.retryMs);
  }

  async #gather(): Promise<void> {
    if (this.#reopening || this.#ending || this.#bytes >= this.#limits.gatherBytes) return;
    this.#gathering = true;
    await this.#wait(this.#limits.gatherMs);
    this.#gathering = false;
  }

  /** Waits for so long, or until {@link #wake} is called. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #reopen(): Promise<void> {
    this.#reopening = false;
    try {
      await this.#destination.reopen();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("cannot open the audit log anew, its old file is written on: {reason}", { reason });
      return;
    }
    log.info("audit log: opened anew");
    // A line whose beginning is in the old file, which was full, is whole in the new one.
    if (this.#written === this.#pending.length) return;
    const start = this.#written === 0 ? 0 : this.#pending.lastIndexOf(newline, this.#written - 1) + 1;
    this.#bytes += this.#written - start;
    this.#written = start;
  }
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Opens what `--audit-log` names: a file, which is appended to and made with mode 0600 where there is none, or standard
 * output (`-`).
 * @throws {AuditLogError} naming the file and the cause
 */
export async function openAuditLog(path: string, limits: AuditLimits = auditLimits): Promise<AuditLog> {
  const name = path === "-" ? "/dev/stdout" : path;
  let file = await opened(name);
  return new AuditLog({
    write: (bytes) => file.write(bytes),
    writeSync: (bytes) => file.writeSync(bytes),
    async reopen() {
      const next = await opened(name);
      file.close();
      file = next;
    },
    close: () => file.close(),
  }, limits);
}

function opened(path: string): Promise<AppendedFile> {
  return new Promise((resolve) => {
    try {
      resolve(openAppending(path));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AuditLogError(`cannot write the audit log ${path}: ${why}`, { cause });
    }
  });
}
