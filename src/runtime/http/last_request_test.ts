import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { makeLastRequest } from "./last_request.ts";

/** How many of 1,000 requests in one write node:http hands out, where `onFirst` is called with the first. */
async function requestsOf(onFirst: (socket: Parameters<typeof makeLastRequest>[0]) => void): Promise<number> {
  let requests = 0;
  const server = createServer((message) => {
    if (++requests > 1) return;
    onFirst(message.socket);
    message.socket.end("HTTP/1.1 405 Method Not Allowed\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  let closed = false;
  client.on("error", () => {}).on("close", () => closed = true).resume();
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000));
  await until("the connection is over", () => closed);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return requests;
}

leakTest("nothing is parsed behind a last request", async () => {
  assert.equal(await requestsOf((socket) => assert.ok(makeLastRequest(socket), "the private field is there")), 1);
});

leakTest("the runtime alone still parses what is behind a request whose connection has ended", async () => {
  assert.ok(await requestsOf(() => {}) > 100, "the runtime stops by itself now, so that last_request.ts can go");
});
