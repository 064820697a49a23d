import type { LogRecord } from "@logtape/logtape";
import { inWords, logEntry, oneLine } from "./log_values.ts";
import { severities, severityOf } from "./logging_settings.ts";
import { redact } from "./redact.ts";

/** How text lines look. */
export interface TextFormat {
  readonly pid: number;
  /** Leaves the header out: the message alone. */
  readonly skipHeaders: boolean;
}

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
  return `${oneLine(redact(line))}\n`;
}

function header({ level, timestamp, category }: LogRecord, pid: number): string {
  const at = new Date(timestamp);
  const day = `${two(at.getMonth() + 1)}${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const fraction = `${String(at.getMilliseconds()).padStart(3, "0")}000`;
  return `${severities[severityOf[level]][0]}${day} ${time}.${fraction} ${String(pid).padStart(7)} ${
    category.join("/")
  }] `;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
