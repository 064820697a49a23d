import { configureSync, getLogger, type LogLevel, type LogRecord, resetSync } from "@logtape/logtape";
import { logFaults } from "./fault_log.ts";
import { LogLimiter } from "./log_limiter.ts";
import { inJson, logMessage } from "./log_values.ts";
import { Verbosity } from "./log_verbosity.ts";
import type { LoggingSettings } from "./logging_settings.ts";
import { RelayBound, relayLimitChars, RelayReceipts } from "./relay_bound.ts";

/** A log record on its way to another thread: what it holds can be cloned. */
export interface RelayedRecord {
  readonly category: readonly string[];
  readonly level: LogLevel;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly message: readonly unknown[];
  readonly rawMessage: string;
  readonly properties: Readonly<Record<string, unknown>>;
  /** Characters of its words and values: what it counts until it is read. */
  readonly chars: number;
}

/** A worker's logging while it goes through another thread. */
export interface LogRelay extends Disposable {
  /** The other thread has read records of so many characters in all. */
  acknowledged(chars: number): void;
}

/**
 * Lets a worker log through another thread, which alone writes: lines stay whole, and log files have one writer. Records
 * below the settings' verbosity are not sent. While the other thread reads nothing, no more than `limitChars` of records
 * wait for it: what comes on top is dropped, and their count is logged once it reads again.
 * @throws {VmoduleError}
 */
export function relayLogs(
  settings: LoggingSettings,
  send: (record: RelayedRecord) => void,
  limitChars: number = relayLimitChars,
): LogRelay {
  const verbosity = new Verbosity(settings.verbosity, settings.vmodule);
  const bound = new RelayBound(limitChars);
  const sendBounded = (record: RelayedRecord) => {
    if (bound.admit(record.chars)) send(record);
  };
  // Here already: each message to another thread takes memory until it is read.
  const limiter = new LogLimiter((record) => sendBounded(portable(record)));
  const sink = (record: LogRecord) => {
    if (verbosity.logs(record.category, record.level)) limiter.log(record);
  };
  configureSync({
    reset: true,
    sinks: { relay: sink },
    loggers: [
      { category: [], sinks: ["relay"], lowestLevel: verbosity.lowestLevel },
      { category: ["logtape", "meta"], sinks: ["relay"], lowestLevel: "warning", parentSinks: "override" },
    ],
  });
  const stopFaults = logFaults();
  return {
    acknowledged(chars) {
      const dropped = bound.acknowledged(chars);
      if (dropped > 0) sendBounded(droppedRecord(dropped));
    },
    [Symbol.dispose]() {
      stopFaults();
      limiter.flush();
      resetSync();
    },
  };
}

/** The reading side of {@link relayLogs}: logs what one worker logged. */
export class RelayedLog {
  readonly #worker: number;
  readonly #receipts: RelayReceipts;

  /**
   * @param worker its number, which becomes a property of its records
   * @param acknowledge confirms to the worker that records of so many characters were read; its `LogRelay.acknowledged`
   */
  constructor(worker: number, acknowledge: (chars: number) => void, limitChars: number = relayLimitChars) {
    this.#worker = worker;
    this.#receipts = new RelayReceipts(acknowledge, limitChars);
  }

  log({ category, chars, ...record }: RelayedRecord): void {
    this.#receipts.read(chars);
    getLogger([...category]).emit({ ...record, properties: { worker: this.#worker, ...record.properties } });
  }
}

function droppedRecord(count: number): RelayedRecord {
  const [before, after] = ["dropped ", " records because the log's thread read them too slowly"];
  return {
    category: ["log"],
    level: "warning",
    timestamp: Date.now(),
    message: [before, count, after],
    rawMessage: `${before}{count}${after}`,
    properties: { count },
    chars: before.length + after.length,
  };
}

function portable(record: LogRecord): RelayedRecord {
  const { category, level, timestamp, rawMessage } = record;
  const properties: Record<string, unknown> = {};
  let chars = 0;
  for (const [name, value] of Object.entries(record.properties)) {
    properties[name] = plain(value);
    chars += name.length + charsOf(properties[name]);
  }
  if (typeof rawMessage === "string") {
    const message = record.message.map(plain);
    for (const part of message) chars += charsOf(part);
    return { category, level, timestamp, message, rawMessage, properties, chars };
  }
  const text = logMessage(record);
  chars += text.length;
  return { category, level, timestamp, message: [text], rawMessage: text.replaceAll("{", "{{"), properties, chars };
}

/** About how many characters a value of JSON would take. */
function charsOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 8;
  let chars = 0;
  for (const [name, inner] of Object.entries(value)) chars += name.length + charsOf(inner);
  return chars;
}

function plain(value: unknown): unknown {
  return value === undefined || typeof value === "bigint" ? value : inJson(value);
}
