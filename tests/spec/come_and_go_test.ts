import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { createServer as createTlsServer } from "node:tls";
import type { RunningAgent } from "../../src/programs/agent/run.ts";
import type { ProxyClient } from "../../src/client/mod.ts";
import { startBalancer } from "../support/in_process/agent_lab.ts";
import { type Destination, echoDestination, httpDestination } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { type FrontendKind, health, metric, Stack, type StackServer } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";

// What the original's integration tests show of servers and agents that come and go, with server, agent and client of ours.

const bytes = (text: string) => new TextEncoder().encode(text);

const protocols: readonly FrontendKind[] = ["grpc-uds", "connect-uds"];

async function assertServes(client: ProxyClient, http: Destination): Promise<void> {
  const response = await client.fetch(`http://${http.address}/`);
  assert.equal(await response.text(), "hello");
}

/** Answers a request only when it is told to. */
async function patientDestination() {
  const waiting: (() => void)[] = [];
  const server = createHttpServer((_, response) => waiting.push(() => response.end("patience")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${bound.port}/`,
    waiting,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

for (const kind of protocols) {
  leakTest(
    `[server 13.8-16] [agent 9-41] ${kind}: a second agent of the same id leaves requests on the first alone`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent: first } = await stack.pair(kind, [], ["--agent-id=same"]);
      const client = await stack.client(server);
      await using patient = await patientDestination();
      await using http = await httpDestination();
      const request = client.fetch(patient.url);
      await until("the request is in flight", () => patient.waiting.length === 1);
      const second = await stack.agent(server.agentPort, "--agent-id=same");
      await until("both streams are there", () => server.running.server.pool.size === 2);
      assert.equal(await metric(server.running, 'server_ready_backends{proxy_strategy="default"}'), 1);
      assert.equal(first.agent.endpointConnections, 1);
      // New requests may take either; both work, as does the one that was there.
      for (let round = 0; round < 20; round++) await assertServes(client, http);
      await second[Symbol.asyncDispose]();
      await until("the second is gone", () => server.running.server.pool.size === 1);
      for (const answer of patient.waiting) answer();
      assert.equal(await (await request).text(), "patience");
      await assertServes(client, http);
    },
  );

  leakTest(
    `[server 13.8-19..20] [agent 9-37] ${kind}: server and agent are ready once they are connected, and not before`,
    async () => {
      await using stack = await Stack.open();
      const server = await stack.server(kind);
      for (const path of ["/readyz", "/ready"]) {
        const answer = await health(server.running, path);
        assert.deepEqual(answer, { status: 500, body: "no connection to any proxy agent" });
      }
      assert.deepEqual(await health(server.running, "/healthz"), { status: 200, body: "ok" });
      const agent = await stack.agent(server.agentPort);
      await until("the agent is ready", async () => (await health(agent, "/readyz")).status === 200);
      await until("the server is ready", async () => (await health(server.running, "/readyz")).status === 200);
      await agent[Symbol.asyncDispose]();
      await until("the server is not ready", async () => (await health(server.running, "/readyz")).status === 500);
    },
  );

  leakTest(
    `[server 13.8-25..26] [agent 9-39] [pains a-14] ${kind}: an agent that stops ends kept connections at once, and a new one serves again`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent } = await stack.pair(kind);
      const client = await stack.client(server);
      await using http = await httpDestination();
      await using echo = await echoDestination();
      await assertServes(client, http);
      const kept = await client.dial(echo.address);
      const writer = kept.writable.getWriter();
      const reader = kept.readable.getReader();
      await writer.write(bytes("hello"));
      assert.equal((await reader.read()).value?.length, 5);
      await agent[Symbol.asyncDispose]();
      await until(
        "the server has dropped it",
        async () => await metric(server.running, "server_ready_backend_connections") === 0,
      );
      // Over CONNECT the end of the connection is all that can be told.
      const outcome = await reader.read().then(({ done }) => done ? "ended" : "data", () => "failed");
      assert.notEqual(outcome, "data");
      await kept.close();
      await assert.rejects(client.dial(http.address), (error: Error & { readonly code?: string }) => {
        return error.code !== "dial-timeout" && error.code !== "cancelled";
      });
      const renewed = await stack.agent(server.agentPort);
      await until("the new one is connected", () => renewed.agent.ready && server.running.server.pool.size === 1);
      await assertServes(client, http);
    },
  );

  leakTest(
    `[pains a-11] ${kind}: a server that goes leaves no client hanging, and serves the same clients when it is back`,
    async () => {
      await using stack = await Stack.open();
      const { server } = await stack.pair(kind);
      const client = await stack.client(server);
      await using http = await httpDestination();
      await using echo = await echoDestination();
      await using patient = await patientDestination();
      await assertServes(client, http);
      const tunnels = await Promise.all(Array.from({ length: 10 }, () => client.dial(echo.address)));
      const readings = tunnels.map(({ readable }) => readable.getReader().read().then(({ done }) => done, () => true));
      const requests = Array.from(
        { length: 10 },
        () => client.fetch(patient.url).then(() => "answered", () => "failed"),
      );
      await until("the requests are in flight", () => patient.waiting.length === 10);
      await server.running[Symbol.asyncDispose]();
      assert.deepEqual(await Promise.all(readings), Array(10).fill(true));
      assert.deepEqual(await Promise.all(requests), Array(10).fill("failed"));
      await until("the agent has left the destinations", () => echo.open === 0);
      assert.equal(client.gauges.dialing, 0);
      const again = await stack.server(kind, `--agent-port=${server.agentPort}`, `--uds-name=${server.uds}`);
      await until("the agent is back", () => again.running.server.pool.size === 1);
      await assertServes(client, http);
    },
  );
}

leakTest(
  "[server 13.8-22] an agent with a protocol name of its own reaches a server that offers only that",
  async () => {
    await using stack = await Stack.open();
    const [ca, cert, key] = await Promise.all(
      [stack.certificates.caCert, stack.certificates.serverCert, stack.certificates.serverKey].map((path) => {
        return Deno.readTextFile(path);
      }),
    );
    assert.ok(ca !== undefined && cert !== undefined && key !== undefined);
    const http2 = createHttp2Server();
    const sessions = new Set<ServerHttp2Session>();
    http2.on("session", (session) => {
      sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => sessions.delete(session));
    });
    http2.on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 200, "content-type": "application/grpc", serverid: "custom", servercount: "1" });
    });
    const negotiated: (string | false | null)[] = [];
    const options = { ca, cert, key, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ["custom/1"] };
    const listener = createTlsServer(options, (socket) => {
      negotiated.push(socket.alpnProtocol);
      http2.emit("connection", socket);
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const bound = listener.address();
    assert.ok(bound !== null && typeof bound !== "string");
    const agent = await stack.agent(bound.port, "--alpn-proto=other", "--alpn-proto=custom/1");
    await until("the agent is connected", () => agent.agent.serverConnections === 1);
    assert.equal(negotiated.at(-1), "custom/1");
    await agent[Symbol.asyncDispose]();
    for (const session of sessions) session.destroy();
    await new Promise<void>((resolve) => listener.close(() => resolve()));
  },
);

leakTest("[server 13.8-23] [agent 9-38] a server that is started anew on its port gets its agent back", async () => {
  await using stack = await Stack.open();
  const { server, agent } = await stack.pair("grpc-uds");
  await server.running[Symbol.asyncDispose]();
  await until("the agent has no server", async () => await metric(agent, "agent_open_server_connections") === 0);
  const again = await stack.server("grpc-uds", `--agent-port=${server.agentPort}`);
  await until("the agent is back", () => agent.agent.serverConnections === 1 && again.running.server.pool.size === 1);
  await using http = await httpDestination();
  await assertServes(await stack.client(again), http);
});

leakTest(
  "[server 13.8-24] [agent 9-40] three servers behind a balancer: one goes, one comes, all that are there serve",
  async () => {
    await using stack = await Stack.open();
    const start = () => stack.server("grpc-uds", "--server-count=3");
    const servers = [await start(), await start(), await start()];
    await using balancer = await startBalancer(servers.map(({ agentPort }) => agentPort));
    await using http = await httpDestination();
    const agent = await stack.agent(balancer.port, "--sync-forever");
    const assertAllServe = async () => {
      for (const server of servers) {
        const client = await stack.client(server);
        await assertServes(client, http);
        await client.close();
      }
    };
    await until("all three are joined", () => agent.agent.serverConnections === 3);
    await assertAllServe();
    const gone = servers.shift();
    balancer.ports = servers.map(({ agentPort }) => agentPort);
    await gone?.running[Symbol.asyncDispose]();
    await until("one is gone", () => agent.agent.serverConnections === 2);
    await assertAllServe();
    servers.push(await start());
    balancer.ports = servers.map(({ agentPort }) => agentPort);
    await until("the new one is joined", () => agent.agent.serverConnections === 3);
    await assertAllServe();
  },
);

leakTest(
  "[server 13.8-28] [agent 9-46] the gauges of 1, 3 and 4 servers and as many agents equal the counts",
  async () => {
    for (const count of [1, 3, 4]) {
      await using stack = await Stack.open();
      const servers: StackServer[] = [];
      for (let at = 0; at < count; at++) servers.push(await stack.server("grpc-uds", `--server-count=${count}`));
      await using balancer = await startBalancer(servers.map(({ agentPort }) => agentPort));
      const agents: RunningAgent[] = [];
      for (let at = 0; at < count; at++) agents.push(await stack.agent(balancer.port, "--sync-forever"));
      for (const agent of agents) {
        await until(
          "an agent has all servers",
          async () => await metric(agent, "agent_open_server_connections") === count,
        );
        assert.equal(await metric(agent, "agent_known_server_count"), count);
      }
      for (const server of servers) {
        // A link may have been a duplicate that the agent gives up in this moment.
        await until("a server has all agents", async () => {
          return await metric(server.running, 'server_ready_backends{proxy_strategy="default"}') === count &&
            await metric(server.running, "server_ready_backend_connections") === count;
        });
      }
    }
  },
);
