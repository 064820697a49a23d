import type { Socket } from "node:net";

/** What the runtime's parser is given for a head that ends its work on the connection, as behind an upgrade. */
const stopParsing = 2;

interface Parser {
  onIncoming?: ((message: unknown, shouldKeepAlive: boolean) => number) | null;
  /** Has the socket emit its data again, which the parser reads natively. */
  unconsume?(): void;
}

/**
 * Makes a request the last one that node:http parses of its connection. Without it the runtime (2.9.6, and Node) goes on
 * with every request of the chunk that it has read, up to two thousand of 32 bytes each, whatever has become of the first:
 * half a second of work and megabytes of memory for nothing. Its parser can be paused, closed or freed meanwhile without
 * effect. What comes later is the socket's data again.
 *
 * A private field of the runtime is the only way; where it is missing nothing is done and false is returned, which
 * `last_request_test.ts` watches.
 */
export function makeLastRequest(socket: Socket): boolean {
  const { parser } = socket as unknown as { readonly parser?: Parser | null };
  if (typeof parser?.onIncoming !== "function" || typeof parser.unconsume !== "function") return false;
  parser.onIncoming = () => stopParsing;
  parser.unconsume();
  return true;
}
