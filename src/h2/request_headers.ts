import type { HeaderField } from "./hpack/header_table.ts";

/** The headers of one request, pseudo-headers among them, in the order in which they came. */
export class RequestHeaders {
  readonly #fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.#fields = fields;
  }

  /** The first value of a header; empty when it is absent. */
  get(name: string): string {
    return this.#fields.find(([key]) => key === name)?.[1] ?? "";
  }

  /** All values of a header. */
  all(name: string): readonly string[] {
    return this.#fields.flatMap(([key, value]) => key === name ? [value] : []);
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.#fields[Symbol.iterator]();
  }
}

const pseudoHeaders: ReadonlySet<string> = new Set([":method", ":scheme", ":path", ":authority"]);

/** Headers that speak of one connection and have no meaning in HTTP/2 (RFC 9113, section 8.2.2). */
const connectionHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Why a list of request headers is malformed (RFC 9113, section 8); undefined when it is not. */
export function requestFault(fields: readonly HeaderField[]): string | undefined {
  const seen = new Map<string, string>();
  let regular = false;
  for (const [name, value] of fields) {
    if (name.startsWith(":")) {
      if (regular) return "pseudo-header behind a header";
      if (!pseudoHeaders.has(name)) return "unknown pseudo-header";
      if (seen.has(name)) return "pseudo-header twice";
      seen.set(name, value);
    } else {
      regular = true;
      const fault = fieldFault(name, value);
      if (fault !== undefined) return fault;
    }
    if (!isFieldValue(value)) return "character in a header's value that must not be there";
  }
  if ((seen.get(":method") ?? "") === "") return "no :method";
  if (seen.get(":method") === "CONNECT") return undefined;
  if ((seen.get(":scheme") ?? "") === "") return "no :scheme";
  if ((seen.get(":path") ?? "") === "") return "no :path";
  return undefined;
}

/** Why a list of request trailers is malformed; undefined when it is not. */
export function trailersFault(fields: readonly HeaderField[]): string | undefined {
  for (const [name, value] of fields) {
    if (name.startsWith(":")) return "pseudo-header among trailers";
    const fault = fieldFault(name, value);
    if (fault !== undefined) return fault;
    if (!isFieldValue(value)) return "character in a trailer's value that must not be there";
  }
  return undefined;
}

function fieldFault(name: string, value: string): string | undefined {
  if (!isFieldName(name)) return "header name with a character that must not be there";
  if (connectionHeaders.has(name)) return `connection-specific header ${name}`;
  if (name === "te" && value.toLowerCase() !== "trailers") return "te other than trailers";
  return undefined;
}

/** RFC 9113, section 8.2.1: no capitals, no control characters, no space, no colon, nothing beyond ASCII. */
function isFieldName(name: string): boolean {
  return /^[!-9;-@[-~]+$/.test(name);
}

/** No NUL, CR or LF, and no blank at either end. */
function isFieldValue(value: string): boolean {
  return !/[\0\r\n]|^[ \t]|[ \t]$/.test(value);
}

/** The body's length that a request announces; -1 for none, undefined when the header is no length. */
export function contentLength(headers: RequestHeaders): number | undefined {
  const lengths = headers.all("content-length");
  const [first] = lengths;
  if (first === undefined) return -1;
  if (!/^\d{1,15}$/.test(first) || lengths.some((other) => other !== first)) return undefined;
  return Number(first);
}
