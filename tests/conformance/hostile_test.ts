import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { PacketSchema, PacketType } from "../../gen/client/client_pb.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { type HostileAct, hostileActs } from "./hostile_bytes.ts";
import { established, openSocket, RawSocket, sendConnect } from "./raw_connect.ts";
import { closeRequest, data, dialRequest, frame, RawCall } from "./raw_grpc.ts";
import { agentListener, assertServes, openAgent, vanish, withNeighbour } from "./neighbours.ts";
import { assertNoTunnelLeft, type FrontendKind, sharedTopology } from "./topology.ts";

/** Long enough to reach whoever it could harm: everything before it on the same stream has been handled by then. */
async function settle(call: RawCall, act: HostileAct): Promise<void> {
  call.sendBytes(act.bytes);
  if (act.then === "end") call.end();
  if (act.then === "reset") call.reset();
  if (act.breaksCall ?? false) {
    const { status, reset } = await call.ended;
    assert(status !== 0, `the call ended with status ${status}, reset ${reset}`);
  }
}

const grpc = sharedTopology("grpc-uds");
const grpcTls = sharedTopology("grpc-tls");

for (const [kind, topologyOf] of [["grpc-uds", grpc], ["grpc-tls", grpcTls]] as const) {
  for (const act of hostileActs) {
    leakTest(`[server W12] ${kind}: ${act.name} from a client that has not dialled harms nobody else`, async () => {
      const topology = topologyOf();
      await withNeighbour(topology, async (stillWorks) => {
        await using hostile = await RawCall.open(topology);
        await settle(hostile, act);
        await stillWorks();
      });
    });

    if (kind === "grpc-tls") continue;

    leakTest(`[server W12] ${kind}: ${act.name} from a client with a tunnel harms nobody else`, async () => {
      const topology = topologyOf();
      await withNeighbour(topology, async (stillWorks) => {
        await using hostile = await RawCall.open(topology);
        const id = await hostile.dial(topology.destinations.echo.address);
        assert.equal(await hostile.exchange(id, "hello"), "hello");
        await settle(hostile, act);
        await stillWorks();
      });
      await assertNoTunnelLeft(topology);
    });

    leakTest(`[server W12] ${kind}: ${act.name} from an agent harms nobody else`, async () => {
      const topology = topologyOf();
      await withNeighbour(topology, async (stillWorks) => {
        await using hostile = await openAgent(topology);
        await settle(hostile, act);
        await stillWorks();
      });
    });
  }

  leakTest(`${kind}: after all of that, new clients are served by the same processes`, async () => {
    const topology = topologyOf();
    await assertServes(topology);
    await assertNoTunnelLeft(topology);
  });
}

leakTest("[server W6] a client cannot send to another client's connection, nor close it", async () => {
  const topology = grpc();
  const { echo } = topology.destinations;
  await using victim = await RawCall.open(topology);
  const id = await victim.dial(echo.address);
  assert.equal(await victim.exchange(id, "mine"), "mine");
  // Ids are small and the agent's, so that a guess is cheap: try all of them, with and without a tunnel of one's own.
  for (const dials of [false, true]) {
    await using hostile = await RawCall.open(topology);
    if (dials) await hostile.dial(echo.address);
    for (let guess = 1n; guess <= id + 3n; guess++) hostile.send(data(guess, "not yours"), closeRequest(guess));
    hostile.end();
    await hostile.ended;
    assert.equal(await victim.exchange(id, "still mine"), "still mine");
  }
  assert.deepEqual(victim.packets, []);
});

leakTest("[server W6] a client cannot take back another client's dial", async () => {
  const topology = grpc();
  const random = 4711n;
  for (let round = 0; round < 20; round++) {
    await using victim = await RawCall.open(topology);
    await using hostile = await RawCall.open(topology);
    victim.send(dialRequest(topology.destinations.echo.address, random));
    hostile.send({ type: PacketType.DIAL_CLS, payload: { case: "closeDial", value: { random } } });
    const { payload } = await victim.next(PacketType.DIAL_RSP);
    assert(payload.case === "dialResponse");
    assert.equal(payload.value.error, "");
  }
  await assertNoTunnelLeft(topology);
});

leakTest("[server W8] a second dial on a client's stream does not move the first one's bytes", async () => {
  const topology = grpc();
  const { echo, banner } = topology.destinations;
  await using call = await RawCall.open(topology);
  const id = await call.dial(echo.address, 1n);
  assert.equal(await call.exchange(id, "hello"), "hello");
  call.send(dialRequest(banner.address, 2n));
  const { payload } = await call.next(PacketType.DIAL_RSP);
  assert(payload.case === "dialResponse");
  assert.notEqual(payload.value.error, "", "the stream carries one tunnel");
  assert.equal(await call.exchange(id, "still there"), "still there");
});

const badAgents: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> = {
  "no id": { agentidentifiers: "" },
  "two ids": { agentid: ["one", "two"], agentidentifiers: "" },
  "identifiers that are no list": { agentid: "bad", agentidentifiers: ";" },
  "two lists of identifiers": { agentid: "bad", agentidentifiers: ["host=a", "host=b"] },
};

for (const [name, metadata] of Object.entries(badAgents)) {
  leakTest(`[server 13.4] an agent with ${name} is refused and told why`, async () => {
    await using call = await RawCall.open(agentListener(grpc()), "/AgentService/Connect", metadata);
    const { status, message } = await call.ended;
    assert.equal(status, Code.InvalidArgument);
    assert.notEqual(message, "");
  });
}

leakTest("packets that come byte by byte are packets", async () => {
  const topology = grpc();
  await using call = await RawCall.open(topology);
  const bytes = frame(toBinary(
    PacketSchema,
    create(PacketSchema, dialRequest(topology.destinations.echo.address, 2n ** 63n - 1n)),
  ));
  for (const byte of bytes) {
    call.sendBytes(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { payload } = await call.next(PacketType.DIAL_RSP);
  assert(payload.case === "dialResponse");
  assert.equal(payload.value.error, "");
  assert.equal(payload.value.random, 2n ** 63n - 1n);
});

leakTest(
  "own HTTP/2 over a Unix socket: peers that vanish in the middle of anything, 100 times over, harm nobody else",
  () => vanish(grpc(), 100),
);

const garbage: Readonly<Record<string, string>> = {
  "HTTP/1.1": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a preface and then noise": `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\xff\x00\x7f".repeat(1000)}`,
  "noise": "\x16\x03\x01\xff\xfe\x00".repeat(2000),
  "nothing": "",
};

for (const [name, text] of Object.entries(garbage)) {
  leakTest(`${name} where HTTP/2 is spoken harms nobody else`, async () => {
    const topology = grpc();
    await withNeighbour(topology, async (stillWorks) => {
      for (const listener of [topology, agentListener(topology)]) {
        const socket = await openSocket(listener, "h2");
        socket.on("error", () => {});
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.write(text, "latin1");
        await stillWorks();
        socket.destroy();
        await closed;
      }
      await stillWorks();
    });
  });
}

const badRequests: Readonly<Record<string, { readonly text: string; readonly answer: RegExp }>> = {
  "a GET": { text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer: /^HTTP\/1\.1 405 / },
  "a CONNECT without a port": {
    text: "CONNECT localhost HTTP/1.1\r\nHost: a\r\n\r\n",
    answer: /^HTTP\/1\.1 [45]\d\d /,
  },
  "a CONNECT to nothing": { text: "CONNECT : HTTP/1.1\r\nHost: a\r\n\r\n", answer: /^HTTP\/1\.1 [45]\d\d / },
  "a header that never ends": {
    text: `CONNECT a:1 HTTP/1.1\r\nX: ${"x".repeat(2_000_000)}`,
    answer: /^(HTTP\/1\.1 431 .*)?/,
  },
  "noise": { text: "\x16\x03\x01\xff\xfe\x00".repeat(2000), answer: /^(HTTP\/1\.1 400 .*)?/ },
};

for (const kind of ["connect-uds", "connect-tls"] satisfies FrontendKind[]) {
  const topologyOf = sharedTopology(kind);

  for (const [name, { text, answer }] of Object.entries(badRequests)) {
    leakTest(`[server 6.1] ${kind}: ${name} is refused, and a tunnel beside it works on`, async () => {
      const topology = topologyOf();
      await using neighbour = await sendConnect(topology, topology.destinations.echo.address);
      assert.equal(await neighbour.take(established.length), established);
      await using hostile = await RawSocket.open(topology);
      hostile.write(text);
      if (!answer.test("")) await until("the refusal comes", () => hostile.text.includes("\r\n") || hostile.ended);
      neighbour.write("still there");
      assert.equal(await neighbour.take(11), "still there");
      assert.match(hostile.text, answer);
      assert.equal(topology.server.program.status, undefined, topology.server.program.tail());
    });
  }

  leakTest(`[server W5] ${kind}: fifty clients that vanish right behind their CONNECT leave nothing`, async () => {
    const topology = topologyOf();
    await Promise.all(Array.from({ length: 50 }, async () => {
      await using socket = await sendConnect(topology, topology.destinations.echo.address);
      socket.destroy();
    }));
    await using after = await sendConnect(topology, topology.destinations.echo.address, "hello");
    assert.equal(await after.take(established.length + 5), `${established}hello`);
    after.destroy();
    await assertNoTunnelLeft(topology);
  });
}
