import type { LogLevel, LogRecord } from "@logtape/logtape";
import { inWords, logEntry } from "./log_values.ts";
import { redact } from "./redact.ts";

/** How text lines look. */
export interface TextFormat {
  readonly pid: number;
  /** Leaves the header out: the message alone. */
  readonly skipHeaders: boolean;
}

/** klog's severities; klog has none below INFO. */
const letters: Readonly<Record<LogLevel, string>> = {
  trace: "I",
  debug: "I",
  info: "I",
  warning: "W",
  error: "E",
  fatal: "F",
};

/**
 * A record as klog writes it, with the newline:
 * `I1124 06:55:09.512000   12116 server/agents] agent connected addr="10.0.0.7"`.
 * Where klog has file and line, this has the logger's category. Time is local; the clock of records has milliseconds,
 * klog's six digits are kept. Properties that the message does not show follow it, their values as JSON strings.
 */
export function formatText(record: LogRecord, format: TextFormat): string {
  const { message, unnamed } = logEntry(record);
  let line = format.skipHeaders ? "" : header(record, format.pid);
  line += message;
  for (const [name, value] of unnamed) line += ` ${name}=${JSON.stringify(inWords(value))}`;
  return `${redact(line)}\n`;
}

function header({ level, timestamp, category }: LogRecord, pid: number): string {
  const at = new Date(timestamp);
  const day = `${two(at.getMonth() + 1)}${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const fraction = `${String(at.getMilliseconds()).padStart(3, "0")}000`;
  return `${letters[level]}${day} ${time}.${fraction} ${String(pid).padStart(7)} ${category.join("/")}] `;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
