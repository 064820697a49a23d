/** Clients that ask for downloads and leave, with the programs as users run them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";

const clients = 100;
const atOnce = 8;
/** What a destination has sent until nobody takes any more: what both kernels hold, a window, and what is dropped. */
const mostMiB = 16;

/** Sends to whoever comes, without end, and counts what the system took of it. */
async function talker() {
  const sent = new Map<Socket, number>();
  let open = 0;
  const chunk = new Uint8Array(64 * 1024);
  // It goes on when its peer has ended, as a file server does.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open++;
    sent.set(socket, 0);
    const more = () => {
      do sent.set(socket, (sent.get(socket) ?? 0) + chunk.length); while (socket.write(chunk));
    };
    socket.once("data", more).on("drain", more).on("error", () => {}).on("close", () => open--);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get open() {
      return open;
    },
    /** Bytes that went to each of those who came. */
    get sent() {
      return [...sent.values()];
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

/** Asks for the download over HTTP CONNECT and leaves once it has begun. */
function askAndLeave(uds: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(uds);
    let received = 0;
    socket.on("data", (bytes: Uint8Array) => {
      if (received === 0) socket.write("go on");
      received += bytes.length;
      if (received > 64 * 1024) socket.destroy();
    });
    socket.on("error", reject).on("close", () => resolve());
    socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  });
}

leakTest("a download whose client left is not read to its end, and a neighbour goes on", async () => {
  await using destination = await talker();
  await using rig = await FloodRig.start("connect-uds");
  let left = clients;
  let going = true;
  const neighbour = (async () => {
    while (going) await rig.ask();
  })();
  const one = async () => {
    while (left-- > 0) await askAndLeave(rig.launched.uds, destination.port);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  await until("the agent has dropped every download", () => destination.open === 0);
  going = false;
  await neighbour;
  assert.equal(destination.sent.length, clients);
  const mib = destination.sent.reduce((sum, bytes) => sum + bytes, 0) / clients / 2 ** 20;
  assert.ok(mib < mostMiB, `${mib} MiB went to each`);
});
