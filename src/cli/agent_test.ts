import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { connect, createServer, type Socket } from "node:net";
import { collectDestination, echoDestination, refusingAddress } from "../../tests/support/destinations.ts";
import { bannerDestination, bannerText, patternBytes, sourceDestination } from "../../tests/support/destinations.ts";
import { startFakeServer } from "../../tests/support/fake_proxy_server.ts";
import { leakTest } from "../../tests/support/leak_free.ts";
import {
  makeTestCertificates,
  type TestCertificateFiles,
  testCertificates,
  writeTestCertificates,
} from "../../tests/support/test_certificates.ts";
import { until } from "../../tests/support/until.ts";
import { closeDial, closeRequest, dialRequest } from "../wire/packet.ts";
import { type RunningAgent, startAgent } from "./agent.ts";
import { parseAgentFlags } from "./agent_flags.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** A folder with certificates, and agents that use them. */
class AgentLab implements AsyncDisposable {
  readonly dir: string;
  readonly files: TestCertificateFiles;
  readonly #agents: RunningAgent[] = [];

  private constructor(dir: string, files: TestCertificateFiles) {
    this.dir = dir;
    this.files = files;
  }

  static async open(): Promise<AgentLab> {
    const dir = await Deno.makeTempDir();
    return new AgentLab(dir, await writeTestCertificates(dir, await testCertificates()));
  }

  /** Starts an agent that may connect to these ports of this machine; attempts come quickly. */
  async agent(ports: readonly number[] | number, ...flags: string[]): Promise<RunningAgent> {
    const [port] = [ports].flat();
    const parsed = parseAgentFlags([
      `--ca-cert=${this.files.caCert}`,
      `--agent-cert=${this.files.clientCert}`,
      `--agent-key=${this.files.clientKey}`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${port}`,
      "--health-server-host=127.0.0.1",
      "--health-server-port=0",
      "--admin-server-port=0",
      "--agent-id=agent-1",
      "--sync-interval=50ms",
      "--sync-interval-cap=200ms",
      ...flags,
    ], () => undefined);
    if (parsed.kind !== "options") throw new Error(`flags were refused: ${JSON.stringify(parsed)}`);
    const running = await startAgent(parsed.options);
    this.#agents.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** The health port's answer to a path. */
async function health(running: RunningAgent, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${running.health.port}${path}`);
  return { status: response.status, body: await response.text() };
}

async function metric(running: RunningAgent, line: string): Promise<string | undefined> {
  const { body } = await health(running, "/metrics");
  return body.split("\n").find((each) => each.startsWith(`konnectivity_network_proxy_agent_${line} `))?.split(" ").at(
    -1,
  );
}

leakTest(
  "[agent 9] ServeData_HTTP: a request goes through and its answer comes back, then the server's close",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const destination = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("Hello, client", { headers: { connection: "close" } }),
    );
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    assert.deepEqual(link.call.metadata("agentid"), ["agent-1"]);
    assert.deepEqual(link.call.metadata("agentidentifiers"), [""]);
    const id = await link.dial(`127.0.0.1:${destination.addr.port}`, 111n);
    assert.equal(id, 1);
    link.stream.sendData(1, text("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    await until("the close is told", () => link.log.includes("CLOSE_RSP 1"));
    assert.match(link.text(1), /Hello, client$/);
    await until("the connection is gone", () => agent.endpointConnections === 0);
    await destination.shutdown();
  },
);

leakTest("[agent 9] [server 13.8] an agent is ready once it has a server, and says so on its health port", async () => {
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
});

leakTest("[agent 9] server restart on the same port: healthy count 1, 0, 1", async () => {
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
  "[agent 9] HA: three servers behind a random balancer are all found; one removed leaves 2, a new one makes 3",
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
  "[agent 9] a refused dial says `connection refused`, an unknown name `no such host`, and both count as unknown",
  async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer();
    const running = await lab.agent(server.port);
    const link = await server.link();
    const refused = await refusingAddress();
    assert.equal(await link.dial(refused, 1n), `dial tcp ${refused}: connect: connection refused`);
    assert.equal(await metric(running, 'endpoint_dial_failure_total{reason="unknown"}'), "1");
    assert.match(String(await link.dial("nohost.invalid:80", 2n)), /no such host$|server misbehaving$/);
    assert.equal(await metric(running, 'endpoint_dial_failure_total{reason="unknown"}'), "2");
    assert.equal(running.agent.endpointConnections, 0);
  },
);

leakTest("[agent weak 33] only TCP is dialled: the node's sockets and datagrams are out of reach", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  await lab.agent(server.port);
  const link = await server.link();
  let random = 0n;
  for (const network of ["unix", "udp", "unixpacket", "bogus", ""]) {
    const answer = await link.dial("/run/containerd.sock", ++random, network);
    assert.equal(answer, `dial ${network}: unknown network ${network}`);
  }
  await using echo = await echoDestination();
  assert.equal(await link.dial(echo.address, ++random, "tcp4"), Number(random));
  assert.match(String(await link.dial("127.0.0.1", ++random)), /missing port in address/);
  assert.match(String(await link.dial(echo.address, ++random, "tcp6")), /^dial tcp6/);
});

leakTest("[agent weak 7] 3.75 MiB and a close right behind them arrive whole, ten times", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  const { agent } = await lab.agent(server.port);
  const link = await server.link();
  await using destination = await collectDestination();
  const size = 3.75 * 1024 * 1024;
  for (let round = 1; round <= 10; round++) {
    const id = await link.dial(destination.address, BigInt(round));
    assert.equal(id, round);
    link.stream.sendData(id, text(`${size}\n`));
    const bytes = patternBytes(size);
    for (let at = 0; at < size; at += 65_536) link.stream.sendData(id, bytes.subarray(at, at + 65_536));
    link.stream.sendPacket(closeRequest(id));
    await until(`upload ${round} has ended`, () => destination.collected.length === round);
    assert.deepEqual(destination.collected.at(-1), { bytes: size, intact: true });
    assert.ok(link.log.includes(`CLOSE_RSP ${round}`));
  }
  await until("nothing is left", () => agent.endpointConnections === 0);
});

leakTest("5 MiB of a destination that ends arrive whole before the close is told", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  await lab.agent(server.port);
  const link = await server.link();
  await using source = await sourceDestination();
  const size = 5 * 1024 * 1024;
  assert.equal(await link.dial(source.address, 1n), 1);
  link.stream.sendData(1, text(`${size}\n`));
  await until("the close is told", () => link.log.includes("CLOSE_RSP 1"));
  assert.equal(link.bytesOf(1), size);
  assert.equal(link.log.at(-1), "CLOSE_RSP 1");
});

leakTest("a destination that speaks first is heard, behind the answer to the dial", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  await lab.agent(server.port);
  const link = await server.link();
  await using banner = await bannerDestination();
  await link.dial(banner.address, 1n);
  await until("the banner has come", () => link.text(1) === bannerText);
  assert.equal(link.log[0], "DIAL_RSP 1");
});

leakTest(
  "[agent weak 4] [pains a] with an original server, a destination that does not read delays its neighbours and stops none",
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

leakTest("with a server of ours, a destination that does not read delays nobody", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer({ features: "window, half-close" });
  await lab.agent(server.port);
  const link = await server.link();
  assert.deepEqual(link.call.metadata("konnectivity-features"), ["half-close,window"]);
  await using stuck = await stuckDestination();
  await using echo = await echoDestination();
  assert.equal(await link.dial(stuck.address, 1n), 1);
  assert.equal(await link.dial(echo.address, 2n), 2);
  for (let sent = 0; sent < 256 * 1024; sent += 65_536) link.stream.sendData(1, new Uint8Array(65_536));
  link.stream.sendData(2, text("neighbour"));
  await until("the neighbour is served", () => link.text(2) === "neighbour");
});

leakTest(
  "[agent weak 9] [agent 9] a server that says it goes away keeps its streams, and they keep their tunnels",
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

leakTest("[agent weak 11] a close behind a link that the server does not read holds up nothing else", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  await lab.agent(server.port);
  const link = await server.link();
  await using source = await sourceDestination();
  await using echo = await echoDestination();
  const size = 32 * 1024 * 1024;
  assert.equal(await link.dial(source.address, 1n), 1);
  assert.equal(await link.dial(echo.address, 2n), 2);
  link.stream.pause();
  link.stream.sendData(1, text(`${size}\n`));
  await new Promise((resolve) => setTimeout(resolve, 50));
  link.stream.sendPacket(closeRequest(1));
  link.stream.sendData(2, text("neighbour"));
  link.stream.resume();
  await until("the neighbour is served", () => link.text(2) === "neighbour");
  await until("the close is answered", () => link.log.includes("CLOSE_RSP 1"));
});

leakTest("[agent 9] 50 dials and requests that are given up leave no connection", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  const { agent } = await lab.agent(server.port);
  const link = await server.link();
  await using echo = await echoDestination();
  for (let random = 1n; random <= 25n; random++) {
    link.stream.sendPacket(dialRequest({ protocol: "tcp", address: echo.address }, random));
    link.stream.sendPacket(closeDial(random));
  }
  for (let random = 26n; random <= 50n; random++) {
    const id = await link.dial(echo.address, random);
    link.stream.sendData(Number(id), text("x"));
    link.stream.sendPacket(closeRequest(Number(id)));
  }
  await until("nothing is left", () => agent.endpointConnections === 0 && agent.pendingDials === 0);
  await until("the destination knows it too", () => echo.open === 0);
});

leakTest(
  "[agent weak 5] [pains a] a server that goes away takes its connections with it, and no other server's",
  async () => {
    await using lab = await AgentLab.open();
    const one = await startFakeServer({ serverId: "one" });
    await using two = await startFakeServer({ serverId: "two" });
    const agentOne = await lab.agent(one.port);
    const agentTwo = await lab.agent(two.port);
    await using stuck = await stuckDestination();
    const linkOne = await one.link();
    const linkTwo = await two.link();
    await linkOne.dial(stuck.address, 1n);
    await linkTwo.dial(stuck.address, 1n);
    for (let sent = 0; sent < 16 * 1024 * 1024; sent += 65_536) linkOne.stream.sendData(1, new Uint8Array(65_536));
    await one.close();
    await until("its connections are gone", () => agentOne.agent.endpointConnections === 0);
    stuck.read();
    await until("the destination sees it", () => stuck.open === 1);
    assert.equal(agentTwo.agent.endpointConnections, 1);
  },
);

leakTest(
  "[agent 9] [server 13.8] TestProxyHandle_AfterDrain: a draining agent still serves what comes, then ends with its last tunnel",
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
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ refuse: new ConnectError("lookup failed", Code.Unauthenticated) });
    const token = `${lab.dir}/token`;
    await Deno.writeTextFile(token, "first\n");
    const { agent } = await lab.agent(server.port, `--service-account-token-path=${token}`);
    await until("the server has refused", () => server.calls.length > 0);
    assert.deepEqual(server.calls[0]?.metadata("authorization"), ["Bearer first"]);
    await Deno.remove(token);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await Deno.writeTextFile(token, "  second\n\n");
    server.acceptAll();
    const link = await server.link();
    assert.deepEqual(link.call.metadata("authorization"), ["Bearer second"]);
    assert.equal(agent.serverConnections, 1);
  },
);

leakTest("[agent weak 24] certificates that change on disk are used for the next connection", async () => {
  await using lab = await AgentLab.open();
  const others = await makeTestCertificates("another CA");
  await using server = await startFakeServer({
    tls: { cert: others.server.certPem, key: others.server.keyPem, ca: others.ca.certPem },
  });
  const { agent } = await lab.agent(server.port);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(agent.serverConnections, 0);
  await writeTestCertificates(lab.dir, others);
  await until("the server is joined", () => agent.serverConnections === 1);
});

leakTest(
  "[agent weak 29] a health or admin port that is taken is an error that names it, and nothing is left",
  async () => {
    await using lab = await AgentLab.open();
    await using taken = await echoDestination();
    for (const flag of ["health", "admin"]) {
      await assert.rejects(
        lab.agent(1, `--${flag}-server-port=${taken.port}`),
        (error: Error) => error.message.includes(`127.0.0.1:${taken.port}`),
      );
    }
  },
);

leakTest("packets and bytes of links are counted by type and direction", async () => {
  await using lab = await AgentLab.open();
  await using server = await startFakeServer();
  const running = await lab.agent(server.port);
  const link = await server.link();
  await using echo = await echoDestination();
  await link.dial(echo.address, 1n);
  link.stream.sendData(1, text("12345"));
  await until("the echo has come", () => link.bytesOf(1) === 5);
  link.stream.sendPacket(closeRequest(1));
  await until("the close is answered", () => link.log.includes("CLOSE_RSP 1"));
  const packets = (segment: string, type: string) =>
    metric(running, `stream_packets_total{packet_type="${type}",segment="${segment}"}`);
  assert.equal(await packets("to_agent", "DIAL_REQ"), "1");
  assert.equal(await packets("to_agent", "DATA"), "1");
  assert.equal(await packets("to_agent", "CLOSE_REQ"), "1");
  assert.equal(await packets("from_agent", "DIAL_RSP"), "1");
  assert.equal(await packets("from_agent", "DATA"), "1");
  assert.equal(await packets("from_agent", "CLOSE_RSP"), "1");
});

async function unusedPort(): Promise<number> {
  const address = await refusingAddress();
  return Number(address.split(":").at(-1));
}

/** A destination that accepts connections and never reads. */
async function stuckDestination(): Promise<{ address: string; readonly open: number; read(): void } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  const port = await listening(server);
  return {
    address: `127.0.0.1:${port}`,
    get open() {
      return sockets.size;
    },
    read() {
      // A socket that nobody reads does not notice its peer's end.
      for (const socket of sockets) socket.on("end", () => socket.destroy()).resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Hands each connection to one of some ports, chosen at random. */
async function startBalancer(
  first: readonly number[],
): Promise<{ port: number; ports: readonly number[] } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const balancer = { port: 0, ports: first, [Symbol.asyncDispose]: close };
  const server = createServer((incoming) => {
    const port = balancer.ports[Math.floor(Math.random() * balancer.ports.length)] ?? 0;
    const outgoing = connect(port, "127.0.0.1");
    for (const [socket, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  balancer.port = await listening(server);
  return balancer;
}

function listening(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(address === null || typeof address === "string" ? 0 : address.port);
    });
  });
}
