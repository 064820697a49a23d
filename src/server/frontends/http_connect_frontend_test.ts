import { configure, type LogRecord, reset } from "@logtape/logtape";
import assert from "node:assert/strict";
import { turns } from "../../../tests/support/fakes/virtual_clock.ts";
import { Caller } from "../../../tests/support/memory/connect_caller.ts";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { parseDestinationRule } from "../../wire/destination/destination_rule.ts";
import { closeResponse, dialed, dialFailed, dialRequest } from "../../wire/packet.ts";
import { DialPolicy } from "../dial_policy.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function settle(world: ServerWorld): Promise<void> {
  world.settle();
  await turns();
  world.settle();
}

function assertNothingLeft(world: ServerWorld): void {
  const { server } = world;
  assert.deepEqual(
    [server.pendingDials, server.establishedTunnels, server.connectRequests, server.queuedBytes],
    [0, 0, 0, 0],
  );
}

Deno.test("[server 13.5-11] [server W16] an agent that does not even take the dial costs the client a 504, and nothing is left", async () => {
  const world = new ServerWorld({ dialTimeoutMs: 500 });
  const agent = await world.agent();
  agent.near.highWaterBytes = 1;
  agent.stream.pause();
  const caller = new Caller(world, "localhost:80");
  await turns();
  assert.equal(world.server.pendingDials, 1);
  world.clock.advance(500);
  assert.deepEqual(await caller.answer(), {
    status: 504,
    body: "Backend dial timeout: timed out waiting for backend dial\r\n",
  });
  assertNothingLeft(world);
  assert.deepEqual(world.events.dialFailures, ["backend_dial_timeout"]);
  // The original gives the agent up; here it stays, and what was asked for late is taken back.
  assert.equal(world.server.pool.size, 1);
  agent.stream.resume();
  await settle(world);
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS"]);
});

Deno.test("[server W34] without an agent the answer is a 500, counted as no_agent", async () => {
  const world = new ServerWorld();
  const caller = new Caller(world, "localhost:80");
  assert.deepEqual(await caller.answer(), {
    status: 500,
    body: "currently no tunnels available: No agent available",
  });
  assert.deepEqual(world.events.dialFailures, ["no_agent"]);
  assertNothingLeft(world);
});

Deno.test("[server W34] [server W5] [pains a-4] a client that hangs up while it waits is counted as frontend_close, and its dial taken back", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const caller = new Caller(world, "localhost:80");
  await settle(world);
  caller.hangUp();
  await caller.answer();
  await settle(world);
  assert.deepEqual(world.events.dialFailures, ["frontend_close"]);
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS"]);
  assertNothingLeft(world);
});

Deno.test("[server W3] an answer that crosses the client's leaving opens nothing that stays", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const early = new Caller(world, "localhost:80");
  await settle(world);
  early.hangUp();
  agent.stream.sendPacket(dialed(agent.lastRandom, 1));
  await early.answer();
  await settle(world);
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS", "CLOSE_REQ 1"]);
  // The other way round: the tunnel is open, the 200 cannot be written any more.
  const late = new Caller(world, "localhost:80");
  await settle(world);
  agent.stream.sendPacket(dialed(agent.lastRandom, 2));
  world.settle();
  const socket = await late.attach();
  socket.closes(new Error("write EPIPE"));
  await settle(world);
  assert.equal(agent.log.at(-1), "CLOSE_REQ 2");
  agent.stream.sendPacket(closeResponse(2));
  await settle(world);
  assertNothingLeft(world);
});

Deno.test("[pains a-6] a dial that the agent could not make is answered with its words, and nothing is left", async () => {
  const answers: Readonly<Record<string, number>> = {
    "dial tcp 10.0.0.1:80: connect: connection refused": 502,
    "dial tcp: lookup nohost: no such host": 502,
    "dial tcp 10.0.0.1:80: i/o timeout": 504,
    "context deadline exceeded": 504,
    "net/http: TLS handshake timeout": 504,
    "dial tcp 10.0.0.1:80: socket: Too Many Open Files": 503,
    "dial tcp 10.0.0.1:80: not allowed: not among this agent's --destinations": 403,
    "anything else": 502,
  };
  const world = new ServerWorld();
  const agent = await world.agent();
  for (const [error, status] of Object.entries(answers)) {
    const caller = new Caller(world, "localhost:80");
    await settle(world);
    agent.stream.sendPacket(dialFailed(agent.lastRandom, error));
    await settle(world);
    assert.deepEqual(await caller.answer(), { status, body: error });
    assertNothingLeft(world);
  }
  assert.deepEqual(world.events.dialFailures, Object.keys(answers).map(() => "error_response"));
});

Deno.test("[pains a-7] an agent that is lost while it dials ends the request at once with a 502", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const caller = new Caller(world, "localhost:80");
  await settle(world);
  agent.stream.lose(new Error("the wire was cut"));
  assert.deepEqual(await caller.answer(), {
    status: 502,
    body: "Backend context error: agent link lost: the wire was cut\r\n",
  });
  assert.deepEqual(world.events.dialFailures, ["backend_close"]);
  assertNothingLeft(world);
});

Deno.test("[server W2] bytes that come together with the client's end go out before its close", async () => {
  for (const features of ["", "half-close, window"]) {
    const world = new ServerWorld();
    const agent = await world.agent(features === "" ? {} : { "konnectivity-features": features });
    const caller = new Caller(world, "localhost:80");
    await settle(world);
    agent.stream.sendPacket(dialed(agent.lastRandom, 1));
    await settle(world);
    const socket = await caller.attach();
    socket.handler?.onData(bytes("all of it"));
    socket.handler?.onEnd();
    await settle(world);
    const end = features === "" ? "CLOSE_REQ 1" : "CLOSE_WRITE 1";
    assert.deepEqual(agent.log, ["DIAL_REQ", "DATA 1 9", end]);
    agent.stream.sendPacket(closeResponse(1));
    socket.closes();
    await settle(world);
    assertNothingLeft(world);
  }
});

Deno.test("[pains a-29] a client that does not read leaves its neighbours on the same agent alone", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const open = async (id: number) => {
    const caller = new Caller(world, "localhost:80");
    await settle(world);
    agent.stream.sendPacket(dialed(agent.lastRandom, id));
    await settle(world);
    return await caller.attach();
  };
  const slow = await open(1);
  const neighbour = await open(2);
  slow.stuck = true;
  for (let sent = 0; sent < 256 * 1024; sent += 32 * 1024) agent.stream.sendData(1, new Uint8Array(32 * 1024));
  agent.stream.sendData(2, bytes("prompt"));
  await settle(world);
  assert.equal(neighbour.text, "", "a client that has said nothing may not be ready yet");
  world.clock.advance(25);
  assert.equal(neighbour.text, "prompt");
  assert.equal(agent.near.peer.paused, false, "the link is read on");
  assert.ok(!agent.log.includes("WINDOW 1"), "no more is asked for on behalf of the slow one");
  slow.takes();
  await settle(world);
  assert.ok(agent.log.includes("WINDOW 1"));
  for (const socket of [slow, neighbour]) socket.closes();
  agent.stream.lose();
  await settle(world);
  assertNothingLeft(world);
});

Deno.test("what comes before a CONNECT was answered waits for the answer, and the tunnel's end behind it; it returns no credit", async () => {
  for (const features of ["", "half-close, window"]) {
    const world = new ServerWorld();
    const agent = await world.agent(features === "" ? {} : { "konnectivity-features": features });
    const caller = new Caller(world, "localhost:80");
    await settle(world);
    agent.stream.sendPacket(dialed(agent.lastRandom, 1));
    for (let piece = 0; piece < 6; piece++) agent.stream.sendData(1, new Uint8Array(32 * 1024).fill(65 + piece));
    await settle(world);
    assert.deepEqual(agent.log, ["DIAL_REQ"]);
    assert.equal(world.server.queuedBytes, 192 * 1024);
    agent.stream.sendPacket(closeResponse(1));
    await settle(world);
    assert.equal(world.server.establishedTunnels, 0);
    const socket = await caller.attach();
    assert.equal(socket.text, "", "a client that has said nothing may not be ready yet");
    world.clock.advance(25);
    assert.equal(socket.writtenBytes, 192 * 1024);
    assert.match(socket.text, /^A+B+C+D+E+F+$/);
    assert.deepEqual([socket.ended, socket.destroyed], [true, false]);
    socket.closes();
    await settle(world);
    assertNothingLeft(world);
  }
});

Deno.test("a client that hangs up although its CONNECT was answered leaves nothing of what waited for it", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const caller = new Caller(world, "localhost:80");
  await settle(world);
  agent.stream.sendPacket(dialed(agent.lastRandom, 1));
  for (let piece = 0; piece < 32; piece++) agent.stream.sendData(1, new Uint8Array(32 * 1024));
  await settle(world);
  assert.equal(world.server.heldAgentStreams, 1);
  const socket = await caller.attach();
  socket.closes(new Error("write EPIPE"));
  await settle(world);
  assert.deepEqual([world.server.heldAgentStreams, world.server.queuedBytes], [0, 0]);
  assert.equal(agent.log.at(-1), "CLOSE_REQ 1");
  agent.stream.sendPacket(closeResponse(1));
  await settle(world);
  assertNothingLeft(world);
});

Deno.test("[server W36] the dialled address of a CONNECT tunnel is in the log", async () => {
  const records: LogRecord[] = [];
  await configure({
    sinks: { kept: (record) => void records.push(record) },
    loggers: [
      { category: "server", sinks: ["kept"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: null },
    ],
  });
  try {
    const world = new ServerWorld();
    const agent = await world.agent();
    const caller = new Caller(world, "node-7.example:10250");
    await settle(world);
    agent.stream.sendPacket(dialFailed(agent.lastRandom, "refused"));
    await settle(world);
    await caller.answer();
    const logged = records.map(({ properties }) => properties["target"]);
    assert.ok(logged.includes("node-7.example:10250"), JSON.stringify(records.map(({ message }) => message)));
  } finally {
    await reset();
  }
});

Deno.test("a CONNECT to an address that is longer than any can be reaches no agent", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  const answer = await new Caller(world, `${"x".repeat(100_000)}:80`).answer();
  assert.deepEqual(answer, {
    status: 400,
    body: "dial tcp: address of 100003 characters is longer than any can be\n",
  });
  await settle(world);
  assert.deepEqual(agent.log, []);
  assertNothingLeft(world);
});

Deno.test("a server that is shutting down answers with a 503, and dials nothing", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  world.server.drain();
  assert.equal((await new Caller(world, "localhost:80").answer()).status, 503);
  // Over gRPC it is the dial that fails.
  const client = world.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address: "localhost:80" }, 1n));
  await settle(world);
  assert.match(client.log[0] ?? "", /^DIAL_RSP /);
  assert.deepEqual(agent.log, []);
});

Deno.test("a CONNECT that the policy refuses is a 403 that says why, and reaches no agent", async () => {
  const rule = parseDestinationRule("*.svc:443");
  if (typeof rule === "string") return assert.fail(rule);
  const world = new ServerWorld({ policy: new DialPolicy({ lists: { allow: [rule], deny: [] }, clients: [] }) });
  const agent = await world.agent();
  assert.deepEqual(await new Caller(world, "localhost:80").answer(), {
    status: 403,
    body: "dial tcp localhost:80: not allowed: not among this server's --destinations\n",
  });
  assert.deepEqual(agent.log, []);
  assert.deepEqual(world.events.dialFailures, ["not_allowed"]);
  assertNothingLeft(world);
});
