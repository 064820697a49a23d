import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { SocketStream } from "./socket_stream.ts";

leakTest("bytes in pieces of all sizes reach a peer that reads late, in order, and the end behind them", async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [far] = await accepted;
  const stream = new SocketStream(near);
  let drains = 0;
  stream.start({ onData: () => {}, onDrain: () => drains++, onEnd: () => {}, onClose: () => {} });
  let sent = 0;
  const write = (length: number): boolean => {
    const piece = Uint8Array.from({ length }, (_, at) => (sent + at) * 31 >>> 3);
    sent += length;
    return stream.write(piece);
  };
  let received = 0;
  const check = (chunk: Uint8Array) => {
    for (let at = 0; at < chunk.length; at++, received++) {
      if (chunk[at] !== (received * 31 >>> 3) % 256) assert.fail(`byte ${received} is wrong`);
    }
  };
  for (let round = 0; round < 3; round++) {
    // The kernels take megabytes before the socket is full.
    while (near.writableLength < 256 * 1024) {
      write(64 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const length of [1, 2, 4095, 4096, 10_000, 1, 20_000, 3]) assert.equal(write(length), false);
    for (let count = 0; count < 20_000; count++) write(1);
    assert.equal(stream.unsentBytes > 256 * 1024, true);
    const before = drains;
    far.on("data", check);
    far.resume();
    await until("the peer took all", () => received === sent && drains > before);
    far.off("data", check);
    far.pause();
  }
  while (near.writableLength < 256 * 1024) {
    write(64 * 1024);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let count = 0; count < 100; count++) write(1);
  stream.end();
  const ended = once(far, "end");
  far.on("data", check);
  far.resume();
  await ended;
  assert.equal(received, sent);
  far.end();
  await until("both are closed", () => near.closed && far.closed);
  server.close();
  await once(server, "close");
});

leakTest(
  "a peer that does not read costs little more than the bytes that wait for it, however small they came",
  async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [far] = await accepted;
    far.on("error", () => {});
    const stream = new SocketStream(near);
    stream.start({ onData: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} });
    while (near.writableLength < 256 * 1024) {
      stream.write(new Uint8Array(64 * 1024));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const queued = near.writableLength;
    for (let count = 0; count < 256 * 1024; count++) stream.write(new Uint8Array(1));
    assert.equal(near.writableLength, queued, "the socket's own queue holds no entry for each byte");
    assert.equal(stream.unsentBytes, queued + 256 * 1024);
    stream.destroy();
    far.destroy();
    await until("both are closed", () => near.closed && far.closed);
    server.close();
    await once(server, "close");
  },
);
