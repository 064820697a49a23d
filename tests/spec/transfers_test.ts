import assert from "node:assert/strict";
import type { ProxyClient, Tunnel } from "../../src/client/mod.ts";
import { established, sendConnect } from "../conformance/raw_connect.ts";
import {
  collectDestination,
  echoDestination,
  httpDestination,
  patternBytes,
  sourceDestination,
  talkingDestination,
} from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { type FrontendKind, Stack } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";

// What the original's integration tests show of bytes on their way, with server, agent and client of ours.

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

const mebibyte = 1024 * 1024;

/** The one frontend of each protocol; the others differ in transport only. */
const protocols: readonly FrontendKind[] = ["grpc-uds", "connect-uds"];

/**
 * Asks a source for bytes and counts what comes; each must be the right one.
 * @param between what the reader does behind each mebibyte
 */
async function download(
  client: ProxyClient,
  address: string,
  size: number,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const tunnel = await client.dial(address);
  await tunnel.writable.getWriter().write(bytes(`${size}\n`));
  const expected = patternBytes(size);
  let at = 0;
  for await (const chunk of tunnel.readable) {
    assert.ok(expected.subarray(at, at + chunk.length).equals(chunk), `bytes at ${at}`);
    at += chunk.length;
    if (at % mebibyte < chunk.length) await between();
  }
  await tunnel.close();
  return at;
}

async function writeAll(tunnel: Tunnel, data: Uint8Array): Promise<void> {
  const writer = tunnel.writable.getWriter();
  for (let at = 0; at < data.length; at += 65_536) await writer.write(data.subarray(at, at + 65_536));
  writer.releaseLock();
}

leakTest("[server 13.8-9] gRPC: 20 MiB in one direction arrive whole", async () => {
  await using stack = await Stack.open();
  const { server } = await stack.pair("grpc-uds");
  await using source = await sourceDestination();
  assert.equal(await download(await stack.client(server), source.address, 20 * mebibyte), 20 * mebibyte);
});

for (const kind of protocols) {
  leakTest(`[server 13.8-14..15] [agent 9-42] ${kind}: 10 times 10 MiB at once`, async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair(kind);
    const client = await stack.client(server);
    await using source = await sourceDestination();
    const sizes = await Promise.all(
      Array.from({ length: 10 }, () => download(client, source.address, 10 * mebibyte)),
    );
    assert.deepEqual(sizes, Array(10).fill(10 * mebibyte));
    await until("nothing is left", () => agent.agent.endpointConnections === 0);
  });

  leakTest(
    `[server 13.8-17] [agent 9-42] ${kind}: two agents, 100 requests at once, each gets its own answer`,
    async () => {
      await using stack = await Stack.open();
      const { server } = await stack.pair(kind, [], ["--agent-id=one"]);
      const second = await stack.agent(server.agentPort, "--agent-id=two");
      await until("both agents are there", () => server.running.server.pool.size === 2 && second.agent.ready);
      const client = await stack.client(server);
      const mirror = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => new Response(await request.text()),
      );
      try {
        await Promise.all(Array.from({ length: 100 }, async (_, id) => {
          const body = `request ${id} ${"x".repeat(id * 100)}`;
          const response = await client.fetch(`http://127.0.0.1:${mirror.addr.port}/`, { method: "POST", body });
          assert.equal(await response.text(), body);
        }));
        const dials = [...server.running.server.backends()].length;
        assert.equal(dials, 2);
      } finally {
        await mirror.shutdown();
      }
    },
  );

  leakTest(
    `[server 13.8-18] ${kind}: small writes are read in pieces of the reader's choice, and the close is clean`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent } = await stack.pair(kind);
      const client = await stack.client(server);
      await using echo = await echoDestination();
      const tunnel = await client.dial(echo.address);
      const writer = tunnel.writable.getWriter();
      const reader = tunnel.readable.getReader({ mode: "byob" });
      const read = async (atMost: number) => text((await reader.read(new Uint8Array(atMost))).value);
      await writer.write(bytes("1234567890123456789012345"));
      let got = "";
      while (got.length < 25) {
        const piece = await read(10);
        assert.ok(piece.length > 0 && piece.length <= 10);
        got += piece;
      }
      assert.equal(got, "1234567890123456789012345");
      await writer.write(bytes("5432100"));
      assert.equal(await read(10), "5432100");
      await tunnel.close();
      await tunnel.closed;
      await until("the destination is left", () => echo.open === 0 && agent.agent.endpointConnections === 0);
    },
  );

  leakTest(
    `[pains a-30] ${kind}: a large copy through a slow reader arrives whole, and its neighbour goes on`,
    async () => {
      await using stack = await Stack.open();
      const { server } = await stack.pair(kind);
      const client = await stack.client(server);
      await using source = await sourceDestination();
      await using http = await httpDestination();
      const size = 24 * mebibyte;
      const received = await download(client, source.address, size, async () => {
        assert.equal(await (await client.fetch(`http://${http.address}/`)).text(), "hello");
      });
      assert.equal(received, size);
    },
  );

  leakTest(
    `[server W14] [pains a-29] ${kind}: a client that does not read at all leaves its neighbours alone, and little is held for it`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent } = await stack.pair(kind);
      const client = await stack.client(server);
      await using talking = await talkingDestination(mebibyte);
      await using http = await httpDestination();
      const stuck = await client.dial(talking.address);
      for (let round = 0; round < 30; round++) {
        assert.equal(await (await client.fetch(`http://${http.address}/`)).text(), "hello");
      }
      const held = server.running.server.queuedBytes + agent.agent.queuedBytes;
      assert.ok(held < 8 * mebibyte, `${held} bytes are held`);
      assert.equal(server.running.server.heldAgentStreams, 0);
      await stuck.readable.cancel();
      await stuck.close();
      await until("the destination is left", () => talking.open === 0);
    },
  );

  leakTest(
    `[pains a-28] ${kind}: a tunnel that is idle over many keepalives stays open and works afterwards`,
    async () => {
      await using stack = await Stack.open();
      const { server } = await stack.pair(kind, ["--keepalive-time=30ms", "--frontend-keepalive-time=30ms"]);
      const client = await stack.client(server);
      await using echo = await echoDestination();
      const tunnel = await client.dial(echo.address);
      const writer = tunnel.writable.getWriter();
      const reader = tunnel.readable.getReader();
      for (const word of ["before", "after"]) {
        await writer.write(bytes(word));
        assert.equal(text((await reader.read()).value), word);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      assert.equal(server.running.server.pool.size, 1);
      await tunnel.close();
    },
  );
}

for (const kind of ["connect-uds", "connect-tls"] as const) {
  leakTest(
    `[server W2] ${kind}: what a client writes right before its end reaches the destination, a hundred times`,
    async () => {
      await using stack = await Stack.open();
      const { server } = await stack.pair(kind);
      await using destination = await collectDestination();
      for (let round = 1; round <= 100; round++) {
        await using socket = await sendConnect({ ...server, certificates: stack.certificates }, destination.address);
        assert.equal(await socket.take(established.length), established);
        socket.write(Uint8Array.from([...bytes("1000\n"), ...patternBytes(1000)]));
        socket.end();
        await until("the upload has ended", () => destination.collected.length === round);
        assert.deepEqual(destination.collected.at(-1), { bytes: 1000, intact: true });
      }
    },
  );
}

leakTest("a client that writes 10 MiB into a tunnel is read whole, over each protocol", async () => {
  await using stack = await Stack.open();
  await using destination = await collectDestination();
  for (const [round, kind] of protocols.entries()) {
    const { server } = await stack.pair(kind);
    const client = await stack.client(server);
    const tunnel = await client.dial(destination.address);
    const size = 10 * mebibyte;
    await writeAll(tunnel, bytes(`${size}\n`));
    await writeAll(tunnel, patternBytes(size));
    await tunnel.close();
    await until("the upload has ended", () => destination.collected.length === round + 1);
    assert.deepEqual(destination.collected.at(-1), { bytes: size, intact: true });
  }
});
