import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Launched } from "./launched.ts";

/** One transfer's bytes: they repeat, but not within what a packet or a read may be, so that lost and doubled ones show. */
const pattern = crypto.getRandomValues(new Uint8Array(65_521));

/** Whether bytes are those that a transfer has from `offset` on. */
function asSent(bytes: Uint8Array, offset: number): boolean {
  let at = offset % pattern.length;
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(bytes.length - done, pattern.length - at);
    const equal = Buffer.compare(bytes.subarray(done, done + length), pattern.subarray(at, at + length)) === 0;
    if (!equal) return false;
    done += length;
    at = 0;
  }
  return true;
}

/** Pieces of a transfer, in order. */
function piecesOf(bytes: number): Uint8Array[] {
  const count = Math.ceil(bytes / pattern.length);
  return Array.from({ length: count }, (_, index) => pattern.subarray(0, bytes - index * pattern.length));
}

/** Sends a transfer and its end. */
function send(socket: Socket, bytes: number): void {
  const pieces = piecesOf(bytes).values();
  const more = () => {
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) if (!socket.write(piece.value)) return;
    socket.off("drain", more).end();
  };
  socket.on("drain", more);
  more();
}

/**
 * Answers "d" with `bytes` bytes and its end, and "u" and as many bytes with "k", where they are those that it expects, and
 * its end.
 */
async function destination(bytes: number) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    let ask = "";
    let received = 0;
    let good = true;
    socket.on("data", (chunk: Uint8Array) => {
      let payload = chunk;
      if (ask === "") {
        ask = String.fromCharCode(chunk[0] ?? 0);
        payload = chunk.subarray(1);
        if (ask === "d") return send(socket, bytes);
      }
      good &&= asSent(payload, received);
      received += payload.length;
      if (received === bytes) socket.end(good ? "k" : "other bytes than those that were sent");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

/** Moves bytes both ways, so many transfers at once, and fails when any of them is not whole. */
export async function transfers(launched: Launched, count: number, bytes: number): Promise<void> {
  await using to = await destination(bytes);
  const client = await launched.client();
  const one = async (ask: "d" | "u") => {
    await using tunnel = await client.dial(to.address);
    const writer = tunnel.writable.getWriter();
    await writer.write(new TextEncoder().encode(ask));
    if (ask === "u") { for (const piece of piecesOf(bytes)) await writer.write(piece); }
    let received = 0;
    const answer: number[] = [];
    for await (const chunk of tunnel.readable) {
      if (ask === "d") assert.ok(asSent(chunk, received), `other bytes than those that were sent, behind ${received}`);
      else answer.push(...chunk);
      received += chunk.length;
    }
    if (ask === "d") assert.equal(received, bytes);
    else assert.equal(String.fromCharCode(...answer), "k");
    await writer.close();
  };
  try {
    for (const ask of ["d", "u"] as const) {
      const outcomes = await Promise.allSettled(Array.from({ length: count }, () => one(ask)));
      const failed = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [String(outcome.reason)] : []);
      assert.deepEqual(failed, [], `${failed.length} of ${count} (${ask})`);
    }
  } finally {
    await client.close();
  }
}
