import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { leaveParser } from "./http_parsers.ts";

/** Connections that send what is no HTTP, and then more: the fault shows after some hundreds or thousands of them. */
const manyStrangers = 100_000;

/**
 * Serves sound requests beside connections that send garbage, until one fails or all strangers have come.
 * @returns how many sound requests were refused
 */
async function refusedBesideGarbage(strangers: number, leave?: (socket: Socket) => void): Promise<number> {
  const server = createServer((message, answer) => {
    message.resume();
    answer.end("served");
  });
  // As Node's documents show it.
  server.on("clientError", (_error, socket: Socket) => {
    leave?.(socket);
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    else socket.destroy();
  });
  server.on("connection", (socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  /** Sends pieces some milliseconds apart, whatever is answered. @param leavesAfterMs where it is not the server that ends it */
  const talk = (pieces: readonly string[], leavesAfterMs?: number) =>
    new Promise<string>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      let heard = "";
      const next = (at: number) => {
        const piece = pieces[at];
        if (piece !== undefined) {
          socket.write(piece);
          setTimeout(() => next(at + 1), 3 * Math.random());
        } else if (leavesAfterMs !== undefined) setTimeout(() => socket.destroy(), 2 * leavesAfterMs * Math.random());
      };
      next(0);
      socket.on("data", (text: Uint8Array) => heard += new TextDecoder().decode(text));
      socket.on("error", () => {});
      socket.on("close", () => resolve(heard));
    });
  let refused = 0;
  let came = 0;
  const sendGarbage = async () => {
    while (came < strangers && refused === 0) {
      came++;
      await talk(["\u0000\u0001\u0002", "more"], 3);
    }
  };
  const sendRequests = async () => {
    while (came < strangers && refused === 0) {
      const heard = await talk(["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]);
      if (!heard.includes("served")) refused++;
    }
  };
  await Promise.all([sendGarbage(), sendGarbage(), sendGarbage(), sendRequests(), sendRequests()]);
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return refused;
}

runtimeFault(
  "this runtime refuses a sound request with 400 where another connection has sent what is no HTTP",
  { file: "src/runtime/http/http_parsers.ts" },
  async () => await refusedBesideGarbage(manyStrangers) > 0,
);

leakTest("where connections that send no HTTP leave their parsers, sound requests are served beside them", async () => {
  assert.equal(await refusedBesideGarbage(10_000, leaveParser), 0);
});

leakTest("connections that send no HTTP, or too large a head, leave no memory behind", async () => {
  const server = createServer({ maxHeaderSize: 65_536 }, (_message, answer) => answer.end());
  server.on("clientError", (_error, socket: Socket) => {
    leaveParser(socket);
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n", () => socket.destroy());
  });
  server.on("connection", (socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const refuse = () =>
    new Promise<void>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => {}).on("close", () => resolve()).resume();
      socket.write(`GET / HTTP/1.1\r\nX: ${"y".repeat(70_000)}`);
    });
  for (let count = 0; count < 1_000; count++) await refuse();
  const before = Deno.memoryUsage().rss;
  for (let count = 0; count < 2_000; count++) await refuse();
  const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  // With a parser for each it is 60 to 90.
  assert.ok(grown < 40, `${grown.toFixed(0)} MiB more`);
});
