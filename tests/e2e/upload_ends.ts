import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { until } from "../support/assert/until.ts";
import { Launched } from "../support/processes/launched.ts";

const uploadBytes = 4 * 1024 * 1024;
const together = 8;

/** A destination that reads everything, and answers with an end of its own. */
async function sink() {
  const counts = { bytes: 0, ends: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("data", ({ length }: Uint8Array) => void (counts.bytes += length));
    socket.on("end", () => {
      counts.ends++;
      socket.end();
    });
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  return {
    counts,
    address: `127.0.0.1:${bound !== null && typeof bound === "object" ? bound.port : 0}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** The end of each of many uploads at once over HTTP CONNECT with TLS reaches its destination. */
export async function endsUploads(rounds: number): Promise<void> {
  await using destination = await sink();
  await using launched = await Launched.start("connect-tls");
  await using client = await launched.client();
  const chunk = new Uint8Array(64 * 1024);
  const upload = async () => {
    const tunnel = await client.dial(destination.address);
    const writer = tunnel.writable.getWriter();
    for (let sent = 0; sent < uploadBytes; sent += chunk.length) await writer.write(chunk);
    await writer.close();
    return tunnel;
  };
  for (let round = 1; round <= rounds; round++) {
    const tunnels = await Promise.all(Array.from({ length: together }, upload));
    await until(`all uploads of round ${round} have their end`, () => destination.counts.ends === round * together);
    for (const tunnel of tunnels) await tunnel.close();
  }
  assert.equal(destination.counts.bytes, rounds * together * uploadBytes);
}
