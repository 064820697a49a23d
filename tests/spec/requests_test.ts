import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { type ProxyClient, ProxyError, type Tunnel } from "../../src/client/mod.ts";
import { established, sendConnect } from "../conformance/raw_connect.ts";
import { blackHole } from "../support/black_hole.ts";
import {
  collectDestination,
  echoDestination,
  httpDestination,
  patternBytes,
  refusingAddress,
  sourceDestination,
} from "../support/destinations.ts";
import { leakTest } from "../support/leak_free.ts";
import { type FrontendKind, metric, Stack } from "../support/stack.ts";
import { until } from "../support/until.ts";

// What the original's integration tests show of single requests, with server, agent and client of ours.

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

const mebibyte = 1024 * 1024;

/** The one frontend of each protocol; the others differ in transport only. */
const protocols: readonly FrontendKind[] = ["grpc-uds", "connect-uds"];

async function failure(promise: Promise<unknown>): Promise<ProxyError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ProxyError, String(error));
    return error;
  }
  assert.fail("it did not fail");
}

/** A destination that takes requests and answers none. */
async function silentDestination(): Promise<{ readonly url: string; readonly open: number } & AsyncDisposable> {
  let open = 0;
  const server = createServer(() => {});
  server.on("connection", (socket) => {
    open++;
    socket.on("error", () => {});
    socket.on("close", () => open--);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${bound.port}/`,
    get open() {
      return open;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A destination that talks without end, a piece at a time, and leaves when its peer ends, as kubelet does with the followers of a log. */
async function talkingDestination(
  piece: number,
): Promise<{ readonly address: string; readonly open: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy()).resume();
    const talk = setInterval(() => {
      if (socket.writableLength === 0) socket.write(new Uint8Array(piece));
    }, 5);
    socket.on("close", () => {
      clearInterval(talk);
      sockets.delete(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${bound.port}`,
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Asks a source for bytes and counts what comes; each must be the right one. */
async function download(client: ProxyClient, address: string, size: number): Promise<number> {
  const tunnel = await client.dial(address);
  await tunnel.writable.getWriter().write(bytes(`${size}\n`));
  const expected = patternBytes(size);
  let at = 0;
  for await (const chunk of tunnel.readable) {
    assert.ok(expected.subarray(at, at + chunk.length).equals(chunk), `bytes at ${at}`);
    at += chunk.length;
  }
  await tunnel.close();
  return at;
}

async function writeAll(tunnel: Tunnel, data: Uint8Array): Promise<void> {
  const writer = tunnel.writable.getWriter();
  for (let at = 0; at < data.length; at += 65_536) await writer.write(data.subarray(at, at + 65_536));
  writer.releaseLock();
}

leakTest("[server 13.8-1] gRPC: a GET through the tunnel", async () => {
  await using stack = await Stack.open();
  const { server } = await stack.pair("grpc-uds");
  const client = await stack.client(server);
  await using http = await httpDestination();
  const response = await client.fetch(`http://${http.address}/`);
  assert.equal(await response.text(), "hello");
});

leakTest("[server 13.8-10] CONNECT: 200, nothing behind it, and a GET through the tunnel", async () => {
  await using stack = await Stack.open();
  const { server } = await stack.pair("connect-uds");
  await using http = await httpDestination();
  await using socket = await sendConnect({ ...server, certificates: stack.certificates }, http.address);
  assert.equal(await socket.take(established.length), established);
  assert.equal(socket.text, "");
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.match(await socket.rest(), /^HTTP\/1\.1 200 OK\r\n[^]*hello/);
});

leakTest(
  "[server 13.8-2] gRPC: a refused destination says so, counted once on the server and once on the agent",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    const error = await failure(client.dial(await refusingAddress()));
    assert.equal(error.code, "endpoint");
    assert.match(error.message, /connect: connection refused$/);
    assert.equal(await metric(server.running, 'server_dial_failure_count{reason="error_response"}'), 1);
    assert.equal(await metric(agent, 'agent_endpoint_dial_failure_total{reason="unknown"}'), 1);
  },
);

leakTest(
  "[server 13.8-3] gRPC: a dial under a deadline that is over fails with that, and nothing is dialled",
  async () => {
    await using stack = await Stack.open();
    const { server } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    await using echo = await echoDestination();
    const deadline = AbortSignal.timeout(0);
    await until("the deadline is over", () => deadline.aborted);
    const error = await failure(client.dial(echo.address, { signal: deadline }));
    assert.equal(error.code, "cancelled");
    assert.equal(error.cause, deadline.reason);
    assert.equal(deadline.reason.name, "TimeoutError");
    assert.equal(echo.accepted, 0);
  },
);

leakTest(
  "[server 13.8-4] [server 13.8-8] gRPC: a request's deadline, or its caller, ends its tunnel and leaves nothing",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    await using silent = await silentDestination();
    const abort = new AbortController();
    for (const [signal, name] of [[AbortSignal.timeout(500), "TimeoutError"], [abort.signal, "AbortError"]] as const) {
      const request = client.fetch(silent.url, { signal });
      request.catch(() => {});
      await until("the request has arrived", () => silent.open === 1);
      if (name === "AbortError") abort.abort();
      await assert.rejects(request, (error: Error) => error.name === name);
      await until("the destination is left", () => silent.open === 0 && agent.agent.endpointConnections === 0);
      await until(
        "the tunnel is over",
        () => server.running.server.establishedTunnels === 0 && client.gauges.open === 0,
      );
    }
  },
);

leakTest(
  "[server 13.8-5] gRPC: a dial that is given up while the agent waits is counted as frontend_close, and the agent dials no more",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    using hole = await blackHole();
    const abort = new AbortController();
    const dial = failure(client.dial(hole.address, { signal: abort.signal }));
    await until("the agent dials", () => agent.agent.pendingDials === 1);
    abort.abort();
    assert.equal((await dial).code, "cancelled");
    await until("the agent has given up", () => agent.agent.pendingDials === 0);
    assert.equal(await metric(server.running, 'server_dial_failure_count{reason="frontend_close"}'), 1);
    assert.equal(server.running.server.pendingDials, 0);
  },
);

leakTest(
  "[server 13.8-6] [pains a-27] gRPC: 50 requests given up while they wait or read leave no connection at the agent",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    await using silent = await silentDestination();
    await using talking = await talkingDestination(4096);
    const abort = new AbortController();
    const waiting = Array.from(
      { length: 25 },
      () => client.fetch(silent.url, { signal: abort.signal }).catch(() => "x"),
    );
    // The others break off in the middle of a long answer, as an interrupted `kubectl logs -f` does.
    const reading = Array.from({ length: 25 }, async () => {
      const tunnel = await client.dial(talking.address);
      const reader = tunnel.readable.getReader();
      await reader.read();
      await reader.cancel();
      await tunnel.close();
    });
    await Promise.all(reading);
    await until("all requests have arrived", () => silent.open === 25);
    abort.abort();
    await Promise.all(waiting);
    await until("no connection is left", () => agent.agent.endpointConnections === 0);
    await until("no tunnel is left", () => server.running.server.establishedTunnels === 0);
    await until("the destinations are left", () => silent.open + talking.open === 0);
  },
);

leakTest(
  "[server 13.8-7] [agent 9-43] [pains a-1] a destination that swallows packets fails after the agent's 5 s, counted as timeout; others go on meanwhile",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("grpc-uds");
    const client = await stack.client(server);
    using hole = await blackHole();
    await using http = await httpDestination();
    const dial = failure(client.dial(hole.address));
    await until("the agent dials", () => agent.agent.pendingDials === 1);
    for (let round = 0; round < 10; round++) {
      assert.equal(await (await client.fetch(`http://${http.address}/`)).text(), "hello");
    }
    assert.equal(agent.agent.pendingDials, 1, "ten requests are done while the dial still hangs");
    const error = await dial;
    assert.equal(error.code, "endpoint");
    assert.match(error.message, /i\/o timeout$/);
    assert.equal(await metric(server.running, 'server_dial_failure_count{reason="error_response"}'), 1);
    assert.equal(await metric(agent, 'agent_endpoint_dial_failure_total{reason="timeout"}'), 1);
  },
);

leakTest("[server 13.8-9] gRPC: 20 MiB in one direction arrive whole", async () => {
  await using stack = await Stack.open();
  const { server } = await stack.pair("grpc-uds");
  await using source = await sourceDestination();
  assert.equal(await download(await stack.client(server), source.address, 20 * mebibyte), 20 * mebibyte);
});

leakTest("[server 13.8-11] CONNECT: an unknown name is a 502 that says so, counted on server and agent", async () => {
  await using stack = await Stack.open();
  const { server, agent } = await stack.pair("connect-uds");
  await using socket = await sendConnect({ ...server, certificates: stack.certificates }, "nohost.invalid:80");
  const answer = await socket.rest();
  assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  // A machine without a resolver cannot tell.
  assert.match(answer, /dial tcp: lookup nohost\.invalid.*: (no such host|server misbehaving)$/);
  assert.equal(await metric(server.running, 'server_dial_failure_count{reason="error_response"}'), 1);
  assert.equal(await metric(agent, 'agent_endpoint_dial_failure_total{reason="unknown"}'), 1);
});

leakTest(
  "[server 13.8-12] CONNECT: a refused destination is a 502 that says so, counted on server and agent",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("connect-uds");
    await using socket = await sendConnect({ ...server, certificates: stack.certificates }, await refusingAddress());
    assert.match(await socket.rest(), /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*connect: connection refused$/);
    assert.equal(await metric(server.running, 'server_dial_failure_count{reason="error_response"}'), 1);
    assert.equal(await metric(agent, 'agent_endpoint_dial_failure_total{reason="unknown"}'), 1);
  },
);

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
      const tunnel = await client.dial(source.address);
      await tunnel.writable.getWriter().write(bytes(`${size}\n`));
      const expected = patternBytes(size);
      let at = 0;
      for await (const chunk of tunnel.readable) {
        assert.ok(expected.subarray(at, at + chunk.length).equals(chunk), `bytes at ${at}`);
        at += chunk.length;
        // A reader that does something else in between.
        if (at % mebibyte < chunk.length) {
          assert.equal(await (await client.fetch(`http://${http.address}/`)).text(), "hello");
        }
      }
      assert.equal(at, size);
      await tunnel.close();
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
