import type { Socket } from "node:net";

/**
 * Keeps a connection of node:http whose bytes were no HTTP away from the runtime's parsers; to be called when the server is
 * informed (`clientError`), before the connection is answered. What it still sends is dropped.
 *
 * In 2.9.6 the runtime hands the connection's parser on to the next one while this one still has it: more bytes of it bring
 * the next connection's request down with 400, however sound. A few connections that send garbage thus kept every client of a
 * port from being served. `http_parsers_test.ts` shows it, and says so once it is mended.
 *
 * To empty the pool of parsers instead, so that each connection has one of its own, is no way out: the runtime never frees
 * what such a parser holds, which is as much as a head may have.
 */
export function leaveParser(socket: Socket): void {
  socket.removeAllListeners("data").on("data", () => {}).resume();
}
