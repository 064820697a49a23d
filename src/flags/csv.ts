import { FlagValueError } from "./flag_error.ts";

/**
 * Splits one line of comma-separated values, quoted where a value holds a comma: `a,b`, `"a,b",c`. Empty text is an
 * empty list.
 * @throws {FlagValueError} in the words of Go's encoding/csv
 */
export function splitCsv(text: string): string[] {
  if (text === "") return [];
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at) : bareField(text, at);
    fields.push(field.value);
    if (field.end >= text.length) return fields;
    at = field.end + 1; // behind the comma
  }
}

interface Field {
  readonly value: string;
  /** Where the comma or the end of the text is. */
  readonly end: number;
}

function bareField(text: string, start: number): Field {
  const comma = text.indexOf(",", start);
  const end = comma < 0 ? text.length : comma;
  const value = text.slice(start, end);
  const quoteAt = value.indexOf('"');
  if (quoteAt >= 0) throw parseError(start + quoteAt, 'bare " in non-quoted-field');
  return { value, end };
}

function quotedField(text: string, start: number): Field {
  let value = "";
  let at = start + 1;
  for (;;) {
    const close = text.indexOf('"', at);
    if (close < 0) throw parseError(text.length, 'extraneous or missing " in quoted-field');
    value += text.slice(at, close);
    const next = text[close + 1];
    if (next === undefined || next === ",") return { value, end: close + 1 };
    if (next !== '"') throw parseError(close, 'extraneous or missing " in quoted-field');
    value += '"';
    at = close + 2;
  }
}

function parseError(index: number, what: string): FlagValueError {
  return new FlagValueError(`parse error on line 1, column ${index + 1}: ${what}`);
}
