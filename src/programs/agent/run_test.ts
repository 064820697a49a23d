import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { configure, reset } from "@logtape/logtape";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import {
  AgentLab,
  health,
  metric,
  startBalancer,
  stuckDestination,
} from "../../../tests/support/in_process/agent_lab.ts";
import { echoDestination, refusingAddress } from "../../../tests/support/in_process/destinations.ts";
import { startFakeServer } from "../../../tests/support/fakes/fake_proxy_server.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import {
  makeTestCertificates,
  testCertificates,
  writeTestCertificates,
} from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { closeRequest } from "../../wire/packet.ts";

const text = (value: string) => new TextEncoder().encode(value);

leakTest(
  "[agent 9-37] [server 13.8-21] an agent is ready once it has a server, and says so on its health port",
  async () => {
    await using lab = await AgentLab.open();
    const running = await lab.agent(await unusedPort());
    assert.deepEqual(await health(running, "/healthz"), { status: 200, body: "ok" });
    assert.deepEqual(await health(running, "/readyz"), {
      status: 503,
      body: "[+]ping ok\n[-]server-connected failed: no servers connected\n",
    });
    await using server = await startFakeServer();
    const connected = await lab.agent(server.port);
    await until("the agent is ready", async () => (await health(connected, "/readyz")).status === 200);
    assert.equal(await metric(connected, "open_server_connections"), "1");
    assert.equal(await metric(connected, "known_server_count"), "1");
  },
);

leakTest("[agent 9-38] server restart on the same port: healthy count 1, 0, 1", async () => {
  await using lab = await AgentLab.open();
  const first = await startFakeServer();
  const { agent } = await lab.agent(first.port);
  await until("the server is joined", () => agent.serverConnections === 1);
  await first.close();
  await until("the loss is noticed", () => agent.serverConnections === 0);
  await using second = await startFakeServer({ port: first.port, serverId: "server-2" });
  await until("the new server is joined", () => agent.serverConnections === 1);
  await second.link();
});

leakTest(
  "[agent 9-40] HA: three servers behind a random balancer are all found; one removed leaves 2, a new one makes 3",
  async () => {
    await using lab = await AgentLab.open();
    const start = (id: string) => startFakeServer({ serverId: id, serverCount: "3" });
    const servers = [await start("a"), await start("b"), await start("c")];
    await using balancer = await startBalancer(servers.map(({ port }) => port));
    const { agent } = await lab.agent(balancer.port);
    await until("all three are joined", () => agent.serverConnections === 3);
    const [gone] = servers;
    await gone?.close();
    balancer.ports = servers.slice(1).map(({ port }) => port);
    await until("one is gone", () => agent.serverConnections === 2);
    await using added = await start("d");
    balancer.ports = [...balancer.ports, added.port];
    await until("the new one is joined", () => agent.serverConnections === 3);
    for (const server of servers) await server.close();
  },
);

leakTest(
  "[agent weak 4] with an original server, a destination that does not read delays its neighbours and stops none",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using stuck = await stuckDestination();
    await using echo = await echoDestination();
    assert.equal(await link.dial(stuck.address, 1n), 1);
    assert.equal(await link.dial(echo.address, 2n), 2);
    // Far more than the system and the agent hold for one destination.
    for (let sent = 0; sent < 64 * 1024 * 1024; sent += 65_536) link.stream.sendData(1, new Uint8Array(65_536));
    link.stream.sendData(2, text("neighbour"));
    await until("the neighbour is served", () => link.text(2) === "neighbour", 60_000);
    assert.ok(link.log.includes("CLOSE_RSP 1 destination has not read for 10 s"), link.log.slice(-3).join(", "));
    assert.ok(agent.queuedBytes < 4 * 1024 * 1024, `${agent.queuedBytes} bytes are held`);
  },
);

leakTest(
  "[agent weak 9] a server that says it goes away keeps its streams, and they keep their tunnels",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using echo = await echoDestination();
    assert.equal(await link.dial(echo.address, 1n), 1);
    server.goAway();
    for (let round = 1; round <= 20; round++) {
      link.stream.sendData(1, text("x"));
      await until(`echo ${round} comes back`, () => link.text(1).length === round);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(link.gone, false);
    assert.equal(agent.serverConnections, 1);
  },
);

leakTest(
  "a link whose server says that it goes away has its place taken by another one, and its tunnels go on and end with it",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using echo = await echoDestination();
    assert.equal(await link.dial(echo.address, 1n), 1);
    server.goAway();
    // As a balancer that has got a new configuration: who connects now meets its successor.
    await using successor = await startFakeServer({ port: server.port });
    const next = await successor.link();
    await until("the old link drains", () => link.log.includes("DRAIN"));
    assert.equal(agent.serverConnections, 1);
    assert.equal(await next.dial(echo.address, 2n), 1);
    link.stream.sendData(1, text("still here"));
    await until("its tunnel is served", () => link.text(1) === "still here");
    assert.equal(link.gone, false);
    link.stream.sendPacket(closeRequest(1));
    await until("the old link ends with its last tunnel", () => link.gone);
    assert.deepEqual(link.end, { kind: "ended" });
    assert.equal(next.gone, false);
    next.stream.sendPacket(closeRequest(1));
    await until("the other tunnel ends", () => echo.open === 0);
  },
);

leakTest(
  "[agent 9-45] [server 13.8-13] TestProxyHandle_AfterDrain: a draining agent still serves what comes, then ends with its last tunnel",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using echo = await echoDestination();
    assert.equal(await link.dial(echo.address, 1n), 1);
    agent.drain(0);
    await until("the server is told", () => link.log.includes("DRAIN"));
    assert.equal(await link.dial(echo.address, 2n), 2);
    link.stream.sendData(2, text("after drain"));
    await until("it is served", () => link.text(2) === "after drain");
    link.stream.sendPacket(closeRequest(2));
    await until("it is closed", () => link.log.includes("CLOSE_RSP 2"));
    assert.equal(agent.ready, true);
    link.stream.sendPacket(closeRequest(1));
    await agent.closed;
    await until("the link has ended in order", () => link.gone);
    assert.deepEqual(link.end, { kind: "ended" });
  },
);

leakTest("[agent weak 20] an agent without tunnels ends by itself once it drains", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  const { agent } = await lab.agent(server.port);
  const link = await server.link();
  agent.drain(0);
  await agent.closed;
  assert.deepEqual(link.log, ["DRAIN"]);
});

leakTest("at the drain's time limit, tunnels are closed and their ends told", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  const { agent } = await lab.agent(server.port);
  const link = await server.link();
  await using echo = await echoDestination();
  await link.dial(echo.address, 1n);
  agent.drain(100);
  await agent.closed;
  await until("the link has ended", () => link.gone);
  assert.deepEqual(link.log, ["DIAL_RSP 1", "DRAIN", "CLOSE_RSP 1 agent is shutting down"]);
});

leakTest(
  "[agent weak 10] a server that never answers the call is given up, and does not keep the agent from ending",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ silent: true });
    const { agent } = await lab.agent(server.port);
    await until("the call has come", () => server.calls.length === 1);
    agent.drain(0);
    await agent.closed;
    await until("the call is given up", () => server.calls[0]?.signal.aborted);
  },
);

leakTest(
  "[agent weak 1] [agent weak 15] [agent weak 16] the token file is read for each attempt, trimmed, and a refusal heals",
  async () => {
    const warnings: string[] = [];
    await configure({
      sinks: { warnings: (record) => warnings.push(record.message.join("")) },
      loggers: [
        { category: "agent", sinks: ["warnings"], lowestLevel: "warning" },
        { category: ["logtape", "meta"], lowestLevel: null },
      ],
    });
    try {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer({ refuse: new ConnectError("lookup failed", Code.Unauthenticated) });
      const token = `${lab.dir}/token`;
      await Deno.writeTextFile(token, "first\n");
      const { agent } = await lab.agent(server.port, `--service-account-token-path=${token}`);
      await until("the server has refused", () => server.calls.length > 0);
      assert.deepEqual(server.calls[0]?.metadata("authorization"), ["Bearer first"]);
      await Deno.remove(token);
      await until(
        "an attempt has failed for want of a token",
        () => warnings.some((line) => line.includes(`cannot read the service account token ${token}`)),
      );
      await Deno.writeTextFile(token, "  second\n\n");
      server.acceptAll();
      const link = await server.link();
      assert.deepEqual(link.call.metadata("authorization"), ["Bearer second"]);
      await until("the agent has joined", () => agent.serverConnections === 1);
    } finally {
      await reset();
    }
  },
);

leakTest("[agent weak 24] certificates that change on disk are used for the next connection", async () => {
  await using lab = await AgentLab.open();
  const others = await makeTestCertificates("another CA");
  await using server = await startFakeServer({
    tls: { cert: others.server.certPem, key: others.server.keyPem, ca: others.ca.certPem },
  });
  const { agent } = await lab.agent(server.port);
  await until("the agent has refused the server", () => server.connectionErrors.length > 0);
  assert.equal(agent.serverConnections, 0);
  await writeTestCertificates(lab.dir, others);
  await until("the server is joined", () => agent.serverConnections === 1);
});

leakTest(
  "[agent weak 29] an agent whose health or admin port is taken runs, and one that ends meanwhile leaves nothing",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    await using taken = await echoDestination();
    for (const flag of ["health", "admin"]) {
      const { agent } = await lab.agent(server.port, `--${flag}-server-port=${taken.port}`);
      await until("the server is joined", () => agent.serverConnections === 1);
    }
  },
);

async function unusedPort(): Promise<number> {
  const address = await refusingAddress();
  return Number(address.split(":").at(-1));
}

for (const kind of ["auto", "grpc"]) {
  leakTest(
    `[server 13.8-22] with a protocol name of its own the agent reaches a server that takes no other, ${kind}`,
    async () => {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer();
      await using front = await startOwnProtocol("acme-tunnel", server.port);
      const { agent } = await lab.agent(front.port, "--alpn-proto=acme-tunnel", `--link-protocol=${kind}`);
      await until("the server is joined", () => agent.serverConnections === 1);
      assert.deepEqual(front.chosen, ["acme-tunnel"]);
    },
  );
}

/** Takes TLS connections of one protocol only, and hands what they carry to a server, as a router by protocol does. */
async function startOwnProtocol(
  protocol: string,
  port: number,
): Promise<{ port: number; chosen: (string | false | null)[] } & AsyncDisposable> {
  const { ca, client, server: own } = await testCertificates();
  const chosen: (string | false | null)[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const server = createTlsServer({ cert: own.certPem, key: own.keyPem, ALPNProtocols: [protocol] }, (incoming) => {
    chosen.push(incoming.alpnProtocol);
    const outgoing = connectTls({
      host: "127.0.0.1",
      port,
      cert: client.certPem,
      key: client.keyPem,
      ca: ca.certPem,
      ALPNProtocols: ["h2"],
    });
    for (const [socket, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
      sockets.add(socket);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  return {
    port: address === null || typeof address === "string" ? 0 : address.port,
    chosen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
