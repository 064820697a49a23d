import assert from "node:assert/strict";
import { createServer } from "node:net";
import { PacketType } from "../../gen/client/client_pb.ts";
import { httpGet } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { type FakePeer, startFakeAgent } from "./fake_peers.ts";
import { goTest, hasGo, runScenario } from "./go_peers.ts";
import { established, sendConnect } from "./raw_connect.ts";
import { data, dialRequest, RawCall } from "./raw_grpc.ts";
import { assertNoTunnelLeft, assertScenario, logsOf, sharedTopology, type Topology } from "./topology.ts";

/** What the fake agent says on its own account right behind DIAL_RSP. */
const madeUpBanner = "220 the agent made this up\r\n";

const grpc = hasGo ? sharedTopology("grpc-uds", { agent: false }) : undefined;
const connect = hasGo ? sharedTopology("connect-uds", { agent: false }) : undefined;

/** Registers a test with a server of ours and a fake agent that behaves as told. */
function agentTest(
  name: string,
  topologyOf: (() => Topology) | undefined,
  behaviour: readonly string[],
  body: (topology: Topology, agent: FakePeer) => Promise<void>,
): void {
  goTest(name, async () => {
    const topology = topologyOf?.();
    if (topology === undefined) return;
    {
      await using agent = await startFakeAgent(topology.certificates, topology.server.agentPort, behaviour);
      await topology.server.ready();
      await body(topology, agent);
    }
    await assertNoTunnelLeft(topology);
    const { healthPort } = topology.server;
    await until("the server has noticed that the agent left", async () => {
      return (await httpGet(healthPort, "/readyz")).status !== 200;
    });
    assert.equal(topology.server.program.status, undefined, topology.server.program.tail());
  });
}

async function goClient(topology: Topology, scenario: string): Promise<void> {
  const { destinations } = topology;
  const flags = [`--uds=${topology.uds}`];
  for (const name of ["echo", "banner", "source", "sink", "collect"] as const) {
    flags.push(`--${name}=${destinations[name].address}`);
  }
  await assertScenario(
    topology,
    await runScenario("client", [...flags, `--refused=${destinations.refused}`], scenario),
  );
}

for (const scenario of ["echo", "upload", "download", "parallel", "refused", "speaks-first", "reusable"]) {
  agentTest(`[server 13.8] an agent of the original serves the Go client: ${scenario}`, grpc, [], async (topology) => {
    await goClient(topology, scenario);
  });
}

const harmless: Readonly<Record<string, string>> = {
  "odd-packets": "[server W12] packets that no agent sends, around every dial",
  "answers-twice": "[server 7.2] a second DIAL_RSP and a second CLOSE_RSP for each connection",
  "empty-data": "[client 1.4] empty DATA, which the Go client would take for the end",
  "wide-ids": "[server 3] connection ids at both ends of 64 bits",
  "drains": "[server 4.4] DRAIN from the only agent",
};

for (const [behaviour, claim] of Object.entries(harmless)) {
  for (const scenario of ["echo", "download", "parallel"]) {
    agentTest(`${claim}: the Go client's ${scenario} succeeds`, grpc, [behaviour], async (topology) => {
      await goClient(topology, scenario);
    });
  }
  agentTest(`${claim}: a CONNECT tunnel works`, connect, [behaviour], async (topology) => {
    await using socket = await sendConnect(topology, topology.destinations.echo.address, "hello");
    assert.equal(await socket.take(established.length + 5), `${established}hello`);
  });
}

agentTest(
  "[server W1] DATA right behind DIAL_RSP comes after the 200",
  connect,
  ["data-behind-answer"],
  async (topology) => {
    await Promise.all(Array.from({ length: 25 }, async () => {
      await using socket = await sendConnect(topology, topology.destinations.echo.address);
      const expected = established + madeUpBanner;
      assert.equal(await socket.take(expected.length), expected);
    }));
  },
);

agentTest(
  "[server W1] DATA and CLOSE_RSP right behind DIAL_RSP come after the 200, and then the end",
  connect,
  ["closes-right-behind-data"],
  async (topology) => {
    await using socket = await sendConnect(topology, topology.destinations.echo.address);
    assert.equal(await socket.rest(), established + madeUpBanner);
  },
);

agentTest(
  "[server 7.2] DATA of a connection that is not open yet ends at most that connection",
  grpc,
  ["data-before-answer"],
  async (topology) => {
    for (let round = 0; round < 3; round++) {
      await using call = await RawCall.open(topology);
      const id = await call.dial(topology.destinations.echo.address);
      call.send(data(id, "hello"));
      const first = await until("an answer comes", () => call.packets[0]);
      assert(first?.type === PacketType.DATA || first?.type === PacketType.CLOSE_RSP);
    }
  },
);

agentTest(
  "[server W7] a connection id that is given twice fails the second dial and leaves the first alone",
  grpc,
  ["reuses-ids"],
  async (topology) => {
    await using first = await RawCall.open(topology);
    const id = await first.dial(topology.destinations.echo.address);
    assert.equal(await first.exchange(id, "hello"), "hello");
    await using second = await RawCall.open(topology);
    await assert.rejects(second.dial(topology.destinations.sink.address), /dial: /);
    assert.equal(await first.exchange(id, "still there"), "still there");
  },
);

agentTest(
  "[server W10] a client that gives up while the agent does not answer has its dial taken back",
  grpc,
  ["never-answers"],
  async (topology, agent) => {
    {
      await using call = await RawCall.open(topology);
      call.send(dialRequest(topology.destinations.echo.address, 1n));
      await agent.event("the agent is asked to dial", ({ type }) => type === "DIAL_REQ");
    }
    await agent.event("the agent is told to give up", ({ type }) => type === "DIAL_CLS");
  },
);

agentTest(
  "[server W5] a CONNECT client that hangs up while the agent does not answer has its dial taken back",
  connect,
  ["never-answers"],
  async (topology, agent) => {
    {
      await using _ = await sendConnect(topology, topology.destinations.echo.address);
      await agent.event("the agent is asked to dial", ({ type }) => type === "DIAL_REQ");
    }
    await agent.event("the agent is told to give up", ({ type }) => type === "DIAL_CLS");
  },
);

agentTest(
  "[server W18] an agent that leaves while it dials fails the dial of a gRPC client at once",
  grpc,
  ["disconnects-on-dial"],
  async (topology) => {
    await using call = await RawCall.open(topology);
    await assert.rejects(call.dial(topology.destinations.echo.address), /dial: |the call has ended/);
  },
);

agentTest(
  "[server 6.1] an agent that leaves while it dials is a 502 to a CONNECT client",
  connect,
  ["disconnects-on-dial"],
  async (topology) => {
    await using socket = await sendConnect(topology, topology.destinations.echo.address);
    assert.match(await socket.rest(), /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  },
);

goTest("[server 4.6] a draining agent is left alone while another one is there", async () => {
  const topology = grpc?.();
  if (topology === undefined) return;
  const { certificates, server, destinations } = topology;
  await using draining = await startFakeAgent(certificates, server.agentPort, ["drains"], "draining");
  await using fresh = await startFakeAgent(certificates, server.agentPort, [], "fresh");
  const dialled = (agent: FakePeer) => agent.events.filter(({ type }) => type === "DIAL_REQ").length;
  // DRAIN was sent before the agent called itself connected, but on the server it is one more packet to read.
  await until("the fresh agent alone is asked", async () => {
    const before = dialled(draining);
    for (let round = 0; round < 10; round++) {
      await using call = await RawCall.open(topology);
      await call.dial(destinations.echo.address);
    }
    return dialled(draining) === before;
  });
  assert(dialled(fresh) >= 10, logsOf(topology));
});

agentTest(
  "[agent weak 33] a client reaches no Unix socket on the node of an agent that dials whatever it is told to, and no UDP port",
  grpc,
  [],
  async (topology, agent) => {
    // On the agent's machine, and with an answer for whoever connects.
    const path = await Deno.makeTempFile({ suffix: ".sock" });
    await Deno.remove(path);
    let reached = 0;
    const socket = createServer((connection) => {
      reached++;
      connection.on("error", () => {});
      connection.end("the container runtime");
    });
    await new Promise<void>((resolve) => socket.listen(path, resolve));
    try {
      const asked = [["unix", path], ["unixpacket", path], ["udp", topology.destinations.echo.address]] as const;
      for (const [protocol, address] of [...asked, ["tcp4", topology.destinations.echo.address]] as const) {
        await using call = await RawCall.open(topology);
        call.send(dialRequest(address, 1n, protocol));
        const { payload } = await call.next(PacketType.DIAL_RSP);
        assert.equal(
          payload.case === "dialResponse" && payload.value.error,
          `dial ${protocol} ${address}: not allowed: this server passes only tcp on`,
        );
      }
      await using call = await RawCall.open(topology);
      const id = await call.dial(topology.destinations.echo.address);
      assert.equal(await call.exchange(id, "tcp goes on"), "tcp goes on");
      // The agent saw the last dial alone, and would have reached the socket.
      assert.equal(reached, 0);
      assert.equal(agent.events.filter(({ event, type }) => event === "packet" && type === "DIAL_REQ").length, 1);
    } finally {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    }
  },
);
