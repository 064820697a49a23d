import { byteAt } from "./bytes.ts";

/** What an agent stands for: the destinations that the destHost and defaultRoute strategies send to it. */
export interface AgentIdentifiers {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly host: readonly string[];
  readonly cidr: readonly string[];
  readonly defaultRoute: boolean;
}

/** The list is not a URL query. */
export class IdentifiersError extends Error {
  override readonly name = "IdentifiersError";
  readonly code = "bad-identifiers";
}

/** What Go's strconv.ParseBool takes for true. */
export const goTrue: ReadonlySet<string> = new Set(["1", "t", "T", "true", "True", "TRUE"]);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Undoes URL escapes as Go's url.QueryUnescape does; escaped bytes that are no UTF-8 become U+FFFD. */
function decode(escaped: string): string {
  const plain = escaped.replaceAll("+", " ");
  if (!plain.includes("%")) return plain;
  const bytes = encoder.encode(plain);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = byteAt(bytes, at);
    if (byte === 0x25) {
      const hex = String.fromCharCode(byteAt(bytes, at + 1), byteAt(bytes, at + 2));
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) {
        throw new IdentifiersError(`invalid URL escape in ${JSON.stringify(escaped)}`);
      }
      byte = Number.parseInt(hex, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return decoder.decode(bytes.subarray(0, length));
}

/** Splits a URL query as Go's url.ParseQuery does: a semicolon is an error, order is kept. @throws {IdentifiersError} */
export function parseQuery(query: string): [key: string, value: string][] {
  const pairs: [string, string][] = [];
  for (const part of query.split("&")) {
    if (part.includes(";")) throw new IdentifiersError("invalid semicolon separator in query");
    if (part === "") continue;
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    pairs.push([decode(key), equals < 0 ? "" : decode(part.slice(equals + 1))]);
  }
  return pairs;
}

/**
 * Reads the identifiers that an agent sends: `ipv4`, `ipv6`, `host` and `cidr` may repeat, of `default-route` the first
 * value counts, any other key belongs to a later version and is skipped.
 * @throws {IdentifiersError} when it is not a URL query
 */
export function parseIdentifiers(query: string): AgentIdentifiers {
  const lists: Record<"ipv4" | "ipv6" | "host" | "cidr", string[]> = { ipv4: [], ipv6: [], host: [], cidr: [] };
  let defaultRoute: boolean | undefined;
  for (const [key, value] of parseQuery(query)) {
    switch (key) {
      case "ipv4":
      case "ipv6":
      case "host":
      case "cidr":
        lists[key].push(value);
        break;
      case "default-route":
        defaultRoute ??= goTrue.has(value);
        break;
    }
  }
  return { ...lists, defaultRoute: defaultRoute ?? false };
}
