import type { LogRecord } from "@logtape/logtape";
import { redactProperty } from "./redact.ts";

/** Characters of one value that reach a log; peers choose some of them, and a packet may be megabytes long. */
const valueLimitChars = 2_048;

/** A record as the formats need it: the message in words, and the properties that it does not name itself. */
export interface LogEntry {
  readonly message: string;
  /** Every property, by name; secrets hidden. */
  readonly properties: readonly (readonly [name: string, value: unknown])[];
  /** Those of {@link properties} that the message does not show. */
  readonly unnamed: readonly (readonly [name: string, value: unknown])[];
}

/** Renders a record's message and sorts its properties. */
export function logEntry(record: LogRecord): LogEntry {
  const names = placeholders(record.rawMessage);
  const properties: (readonly [string, unknown])[] = [];
  for (const [name, value] of Object.entries(record.properties)) {
    if (value !== undefined) properties.push([name, redactProperty(name, value)]);
  }
  return { message: logMessage(record), properties, unnamed: properties.filter(([name]) => !names.has(name)) };
}

/** A record's message with its values in place, in one line. */
export function logMessage(record: LogRecord): string {
  const names = [...placeholders(record.rawMessage)];
  let text = "";
  // Texts and values take turns, texts first.
  for (const [at, part] of record.message.entries()) {
    text += at % 2 === 0 ? String(part) : inWords(redactProperty(names[(at - 1) / 2] ?? "", part));
  }
  return oneLine(text);
}

/** A value as a person reads it. */
export function inWords(value: unknown): string {
  return shortened(words(value));
}

/** A value that JSON can hold; its text forms are those of {@link inWords}. */
export function inJson(value: unknown): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string") return shortened(value);
  const text = words(value);
  if (value instanceof Error || typeof value !== "object" || text.length > valueLimitChars) return shortened(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** An error with its causes, each said once. */
export function describeError(error: Error): string {
  let text = error.message === "" ? error.name : error.message;
  let cause = error.cause;
  for (let depth = 0; cause instanceof Error && depth < 5; depth++, cause = cause.cause) {
    if (!text.includes(cause.message)) text += `: ${cause.message}`;
  }
  return text;
}

/**
 * What a terminal or a viewer does not show as a sign of its own: control characters, bidirectional overrides and other
 * format characters, line and paragraph separators, blanks other than the space, ignorable characters, and halves of
 * surrogate pairs.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;
/** Most lines hold nothing of the kind. */
const seen = /^[ -~]*$/;

/**
 * Makes unseen characters visible as JSON escapes, so that nobody can forge a line, drive a terminal, or have a reader see
 * something else than what came. What is JSON stays JSON, with the same value.
 */
export function oneLine(text: string): string {
  if (seen.test(text)) return text;
  return text.replace(unseen, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    if (char === "\r") return "\\r";
    // Beyond U+FFFF two escapes, as JSON has it.
    return char.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  });
}

function words(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return describeError(value);
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value, (name, part: unknown) => {
      const open = redactProperty(name, part);
      if (typeof open === "bigint") return String(open);
      if (open instanceof Error) return describeError(open);
      return open instanceof Uint8Array ? `<${open.length} bytes>` : open;
    }) ?? String(value);
  } catch {
    // A cycle, or a getter that throws: the log line matters more than the value.
    return Object.prototype.toString.call(value);
  }
}

function shortened(text: string): string {
  if (text.length <= valueLimitChars) return text;
  return `${text.slice(0, valueLimitChars)}…(${text.length - valueLimitChars} more)`;
}

const knownTemplates = new Map<string, ReadonlySet<string>>();
const templateLimit = 1_000;
const none: ReadonlySet<string> = new Set();

/** The names that a message template shows, in order. */
function placeholders(template: string | TemplateStringsArray): ReadonlySet<string> {
  if (typeof template !== "string") return none;
  let names = knownTemplates.get(template);
  if (names === undefined) {
    names = new Set(Array.from(template.matchAll(/(?<!\{)\{([^{}]+)\}/g), ([, name]) => (name ?? "").trim()));
    if (knownTemplates.size < templateLimit) knownTemplates.set(template, names);
  }
  return names;
}
