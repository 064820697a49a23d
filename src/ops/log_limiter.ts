import type { LogRecord } from "@logtape/logtape";
import { logMessage } from "./log_values.ts";

/** One summary of a repeated message per this many milliseconds. */
export const repeatIntervalMs = 60_000;

/** Different messages that are told apart; past it, messages of one template count as the same. */
const keyLimit = 1_000;

/** Starts something later and returns how to call it off; a parameter so that tests need not wait. */
export type Schedule = (run: () => void, delayMs: number) => () => void;

interface Repeated {
  /** Of this interval, beyond the first. */
  count: number;
  last: LogRecord;
  cancel: () => void;
}

/**
 * Keeps a warning that repeats (an agent that is refused every second) from filling the log: the first goes through,
 * then at most one line an interval, with the number of those it stands for in its property `repeated`.
 */
export class LogLimiter {
  readonly #emit: (record: LogRecord) => void;
  readonly #schedule: Schedule;
  readonly #repeated = new Map<string, Repeated>();

  constructor(emit: (record: LogRecord) => void, schedule: Schedule = scheduleUnreferenced) {
    this.#emit = emit;
    this.#schedule = schedule;
  }

  /** Emits the record, or counts it. Only warnings and errors are limited. */
  log(record: LogRecord): void {
    if (record.level !== "warning" && record.level !== "error") return this.#emit(record);
    const key = this.#key(record);
    const known = this.#repeated.get(key);
    if (known !== undefined) {
      known.count++;
      known.last = record;
      return;
    }
    this.#emit(record);
    this.#remember(key, record);
  }

  /** Emits what has been counted and forgets everything. */
  flush(): void {
    for (const { count, last, cancel } of this.#repeated.values()) {
      cancel();
      if (count > 0) this.#emit(summary(last, count));
    }
    this.#repeated.clear();
  }

  #key(record: LogRecord): string {
    const about = `${record.level} ${record.category.join("/")} `;
    const exact = about + logMessage(record);
    if (this.#repeated.has(exact) || this.#repeated.size < keyLimit) return exact;
    // Peers choose parts of messages: a flood of different ones must not be a way around the limit.
    return `${about}any ${typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("{}")}`;
  }

  #remember(key: string, record: LogRecord): void {
    const cancel = this.#schedule(() => this.#intervalEnds(key), repeatIntervalMs);
    this.#repeated.set(key, { count: 0, last: record, cancel });
  }

  #intervalEnds(key: string): void {
    const known = this.#repeated.get(key);
    if (known === undefined) return;
    this.#repeated.delete(key);
    if (known.count === 0) return;
    this.#emit(summary(known.last, known.count));
    this.#remember(key, known.last);
  }
}

function summary(last: LogRecord, count: number): LogRecord {
  return { ...last, properties: { ...last.properties, repeated: count } };
}

function scheduleUnreferenced(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs);
  // A count that is due in a minute is no reason to keep the process.
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}
