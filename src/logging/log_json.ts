import type { LogRecord } from "@logtape/logtape";
import { inJson, logEntry, oneLine } from "./log_values.ts";
import { levelVerbosity } from "./log_verbosity.ts";
import { redact } from "./redact.ts";

/** Fields that every line has; a property of the same name gets an underscore. */
const reserved: ReadonlySet<string> = new Set(["ts", "level", "logger", "msg", "v"]);

/**
 * A record as one line of JSON with the newline, in the fields of Kubernetes' JSON logs: `ts` (milliseconds since 1970),
 * `msg`, `v` (absent for warnings and errors), `logger`, and every property. `level` is ours in addition.
 */
export function formatJson(record: LogRecord): string {
  const { message, properties } = logEntry(record);
  const line: Record<string, unknown> = {
    ts: record.timestamp,
    level: record.level,
    logger: record.category.join("."),
    msg: message,
  };
  const verbosity = levelVerbosity[record.level];
  if (verbosity !== undefined) line["v"] = verbosity;
  for (const [name, value] of properties) line[reserved.has(name) ? `${name}_` : name] = inJson(value);
  return `${oneLine(redact(JSON.stringify(line)))}\n`;
}
