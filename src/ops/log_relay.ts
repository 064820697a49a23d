import { configureSync, getLogger, type LogLevel, type LogRecord, resetSync } from "@logtape/logtape";
import { inJson, logMessage } from "./log_values.ts";
import { Verbosity } from "./log_verbosity.ts";
import type { LoggingSettings } from "./logging_settings.ts";

/** A log record on its way to another thread: what it holds can be cloned. */
export interface RelayedRecord {
  readonly category: readonly string[];
  readonly level: LogLevel;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly message: readonly unknown[];
  readonly rawMessage: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Lets a worker log through another thread, which alone writes: lines stay whole, and log files have one writer. Records
 * below the settings' verbosity are not sent.
 * @throws {VmoduleError}
 */
export function relayLogs(settings: LoggingSettings, send: (record: RelayedRecord) => void): Disposable {
  const verbosity = new Verbosity(settings.verbosity, settings.vmodule);
  const sink = (record: LogRecord) => {
    if (verbosity.logs(record.category, record.level)) send(portable(record));
  };
  configureSync({
    reset: true,
    sinks: { relay: sink },
    loggers: [
      { category: [], sinks: ["relay"], lowestLevel: verbosity.lowestLevel },
      { category: ["logtape", "meta"], sinks: ["relay"], lowestLevel: "warning", parentSinks: "override" },
    ],
  });
  return { [Symbol.dispose]: resetSync };
}

/** Logs what a worker logged. @param worker its number, which becomes a property of the record */
export function logRelayed({ category, ...record }: RelayedRecord, worker: number): void {
  getLogger([...category]).emit({ ...record, properties: { worker, ...record.properties } });
}

function portable(record: LogRecord): RelayedRecord {
  const { category, level, timestamp, rawMessage } = record;
  const properties = Object.fromEntries(
    Object.entries(record.properties).map(([name, value]) => [name, plain(value)]),
  );
  if (typeof rawMessage === "string") {
    return { category, level, timestamp, message: record.message.map(plain), rawMessage, properties };
  }
  const text = logMessage(record);
  return { category, level, timestamp, message: [text], rawMessage: text.replaceAll("{", "{{"), properties };
}

function plain(value: unknown): unknown {
  return value === undefined || typeof value === "bigint" ? value : inJson(value);
}
