import assert from "node:assert/strict";
import { createServer } from "node:http";
import { ProxyError } from "../../src/client/mod.ts";
import { established, sendConnect } from "../conformance/raw_connect.ts";
import { blackHole } from "../support/fakes/black_hole.ts";
import {
  echoDestination,
  httpDestination,
  refusingAddress,
  talkingDestination,
} from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { metric, Stack } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";

// What the original's integration tests show of single requests, with server, agent and client of ours.

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
