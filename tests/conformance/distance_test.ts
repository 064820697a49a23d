import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { GrowthBudget } from "../../src/streams/growth_budget.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { startFarRelay } from "../support/fakes/far_relay.ts";
import { Stack } from "../support/in_process/stack.ts";

const mebibyte = 1024 * 1024;
const delayMs = 100;
/** What a window has to grow by in a test: far more than it begins with, and a quarter of what one may have. */
const wantedBytes = 8 * mebibyte;

/** A destination that talks without end, as fast as it is read, or is silent. */
async function talker() {
  const sockets = new Set<Socket>();
  const piece = new Uint8Array(256 * 1024);
  const talk = (socket: Socket) => {
    while (at.talks && !socket.destroyed && socket.write(piece));
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket)).on("drain", () => talk(socket)).resume();
    talk(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const at = {
    talks: true,
    address: `127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return at;
}

const grownBy = (growth: GrowthBudget, before: number) => before - growth.remaining;

for (const link of ["any", "grpc"]) {
  const flags = link === "grpc" ? ["--link-protocol=grpc"] : [];
  const kind = link === "grpc" ? "a gRPC" : "a direct";

  leakTest(
    `over ${kind} link of ${delayMs} ms a download's window grows, and is given back when it falls silent and ends`,
    async () => {
      await using stack = await Stack.open();
      const { running, ...server } = await stack.server("connect-uds");
      await using line = await startFarRelay(server.agentPort, delayMs);
      const agent = await stack.agent(line.port, ...flags);
      await until("the agent is connected", () => agent.agent.ready);
      await using destination = await talker();
      const { growth } = running.server;
      const before = growth.remaining;
      const tunnel = await (await stack.client({ running, ...server })).dial(destination.address);
      const reading = (async () => {
        for await (const _ of tunnel.readable);
      })();
      await until("the window has grown", () => grownBy(growth, before) >= wantedBytes);
      assert.ok(grownBy(growth, before) <= before);
      assert.equal(agent.agent.growth.remaining, before, "nothing was uploaded");
      destination.talks = false;
      if (link === "any") await until("the quiet tunnel has given back", () => growth.remaining === before);
      await tunnel.close();
      await reading;
      if (link === "grpc") {
        // The link itself is a stream of HTTP/2, which keeps what it has grown by to its end.
        await line[Symbol.asyncDispose]();
        await until("the link's stream has given back", () => growth.remaining === before);
      }
    },
  );

  leakTest(
    `over ${kind} link of ${delayMs} ms an upload's window grows, and is given back when it falls silent`,
    async () => {
      await using stack = await Stack.open();
      const { running, ...server } = await stack.server("grpc-uds");
      await using line = await startFarRelay(server.agentPort, delayMs);
      const agent = await stack.agent(line.port, ...flags);
      await until("the agent is connected", () => agent.agent.ready);
      await using destination = await talker();
      destination.talks = false;
      const { growth } = agent.agent;
      const before = growth.remaining;
      const tunnel = await (await stack.client({ running, ...server })).dial(destination.address);
      const writer = tunnel.writable.getWriter();
      const piece = new Uint8Array(64 * 1024);
      let sends = true;
      const writing = (async () => {
        while (sends) await writer.write(piece);
      })();
      await until("the window has grown", () => grownBy(growth, before) >= wantedBytes);
      sends = false;
      await writing;
      await until("the quiet tunnel has given back", () => growth.remaining === before);
      await tunnel.close();
    },
  );
}
