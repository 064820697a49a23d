import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer } from "node:net";
import { connect } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { readClientHello } from "./client_hello.ts";

/** What a client of this runtime sends first. */
async function capturedHello(minVersion: "TLSv1.2" | "TLSv1.3", maxVersion: "TLSv1.2" | "TLSv1.3"): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const first = new Promise<Buffer>((resolve) => {
    server.once("connection", (socket) => {
      socket.on("error", () => {});
      socket.once("data", (bytes) => {
        resolve(bytes);
        socket.destroy();
      });
    });
  });
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", minVersion, maxVersion });
  client.on("error", () => {});
  const bytes = await first;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return bytes;
}

/** The first record cut into records of so many bytes. */
function cut(hello: Buffer, bytes: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += bytes) {
    const piece = body.subarray(at, at + bytes);
    records.push(Buffer.concat([hello.subarray(0, 3), Buffer.from([piece.length >> 8, piece.length & 255]), piece]));
  }
  return Buffer.concat(records);
}

/** A hello with one more extension at its end. */
function withExtension(hello: Buffer, type: number, value: Uint8Array): Buffer {
  const added = Buffer.concat([Buffer.from([type >> 8, type & 255, value.length >> 8, value.length & 255]), value]);
  const grown = Buffer.concat([hello, added]);
  grown.writeUInt16BE(grown.readUInt16BE(3) + added.length, 3);
  grown.writeUIntBE(grown.readUIntBE(6, 3) + added.length, 6, 3);
  // Version, random, session id, suites, compression; then the length of all extensions.
  let at = 9 + 2 + 32;
  at += 1 + grown.readUInt8(at);
  at += 2 + grown.readUInt16BE(at);
  at += 1 + grown.readUInt8(at);
  grown.writeUInt16BE(grown.readUInt16BE(at) + added.length, at);
  return grown;
}

leakTest(
  "versions and offers are read from a first message, whole or cut into records, at each number of bytes",
  async () => {
    for (
      const [least, most] of [["TLSv1.2", "TLSv1.2"], ["TLSv1.3", "TLSv1.3"], ["TLSv1.2", "TLSv1.3"]] as const
    ) {
      const plain = await capturedHello(least, most);
      const expected = { versions: new Set([least, most]), offersKey: false, offersTicket: false };
      assert.deepEqual(readClientHello(plain), expected);
      assert.deepEqual(readClientHello(Buffer.concat([plain, Buffer.from("what follows")])), expected);
      assert.deepEqual(readClientHello(cut(plain, 50)), expected);
      assert.equal(readClientHello(cut(plain, 3)), "other", "more records than an honest client needs");
      const offers = withExtension(plain, 41, Buffer.from("key"));
      assert.deepEqual(readClientHello(offers), { ...expected, offersKey: true });
      for (let length = 0; length < offers.length; length++) {
        const wanted = readClientHello(offers.subarray(0, length));
        assert.ok(typeof wanted === "number" && wanted > length && wanted <= offers.length, `${length}: ${wanted}`);
      }
      // An empty ticket says only that the client would take one.
      if (most === "TLSv1.3") {
        assert.deepEqual(readClientHello(withExtension(plain, 35, Buffer.alloc(0))), expected);
        assert.deepEqual(readClientHello(withExtension(plain, 35, Buffer.from("t"))), {
          ...expected,
          offersTicket: true,
        });
      }
    }
  },
);

Deno.test("what is no first message, or lies about its lengths, is left to the runtime", () => {
  assert.equal(readClientHello(Buffer.from("GET / HTTP/1.1\r\n\r\n")), "other");
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 0])), "other");
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])), "other");
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])), "other");
  const random = new Uint8Array(200);
  for (let turn = 0; turn < 5_000; turn++) {
    crypto.getRandomValues(random);
    random.set([22, 3, 1, 0, 195, 1, 0, 0, 191]);
    readClientHello(random);
  }
});
