import assert from "node:assert/strict";
import { type Peer, ServerWorld } from "../../tests/support/memory/server_world.ts";
import { closeRequest, closeResponse, dialed, dialFailed, dialRequest, windowCredit } from "../wire/packet.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Asks for a dial. */
function dial(world: ServerWorld, client: Peer, address = "localhost:80"): void {
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address }, 1n));
  world.settle();
}

/** A client with an open tunnel over an agent that nobody else could be chosen instead of. */
function openTunnel(world: ServerWorld, agent: Peer, id: number, address?: string): Peer {
  const client = world.client();
  dial(world, client, address);
  agent.stream.sendPacket(dialed(agent.lastRandom, id));
  world.settle();
  assert.equal(client.log.at(-1), `DIAL_RSP ${id}`);
  return client;
}

Deno.test("[server 13.5-10] a client's end takes back its own pending dial and no others", async () => {
  for (const leave of [(client: Peer) => client.stream.end(), (client: Peer) => client.stream.lose()]) {
    const world = new ServerWorld();
    const agent = await world.agent();
    const leaving = world.client();
    dial(world, leaving);
    const taken = agent.lastRandom;
    const staying = world.client();
    dial(world, staying);
    const kept = agent.lastRandom;
    leave(leaving);
    world.settle();
    assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_REQ", "DIAL_CLS"]);
    const last = agent.packets.at(-1)?.payload;
    assert.equal(last?.case === "closeDial" && last.value.random, taken);
    assert.equal(world.server.pendingDials, 1);
    agent.stream.sendPacket(dialed(kept, 7));
    world.settle();
    assert.deepEqual(staying.log, ["DIAL_RSP 7"]);
  }
});

Deno.test("[server 13.5-12] [server 13.5-19] established tunnels are counted as they come and go, over several agents", async () => {
  const world = new ServerWorld({ strategies: ["destHost"] });
  const agents = await Promise.all(["a", "b", "c"].map((host) => {
    return world.agent({ agentid: host, agentidentifiers: `host=${host}` });
  }));
  const [a, b, c] = agents;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  // Agents number their connections from 1, each for itself.
  const tunnels: [Peer, Peer, number][] = [];
  const plan: readonly (readonly [Peer, string, number])[] = [[a, "a", 1], [a, "a", 2], [b, "b", 1], [b, "b", 2], [
    c,
    "c",
    1,
  ]];
  for (const [agent, host, id] of plan) {
    tunnels.push([openTunnel(world, agent, id, `${host}:80`), agent, id]);
    assert.equal(world.server.establishedTunnels, tunnels.length);
  }
  const perAgent = () => [...world.server.backends()].map(({ agentId, tunnels }) => `${agentId}:${tunnels}`).join(" ");
  assert.equal(perAgent(), "a:2 b:2 c:1");
  const close = ([client, agent, id]: [Peer, Peer, number]) => {
    client.stream.sendPacket(closeRequest(id));
    world.settle();
    agent.stream.sendPacket(closeResponse(id));
    world.settle();
  };
  const [first, second, third, ...rest] = tunnels;
  for (const tunnel of [first, second, third]) if (tunnel !== undefined) close(tunnel);
  assert.equal(perAgent(), "a:0 b:1 c:1");
  for (const [client, agent, id] of rest) {
    agent.stream.sendData(id, bytes("still here"));
    world.settle();
    assert.equal(client.text(id), "still here");
  }
  rest.forEach(close);
  assert.equal(world.server.establishedTunnels, 0);
  assert.deepEqual(world.events.closes, Array(5).fill("closed by client"));
});

Deno.test("[server 13.5-22] a client's end takes its own tunnel with it, whichever agent it is on, and no other", async () => {
  const world = new ServerWorld({ strategies: ["destHost"] });
  const near = await world.agent({ agentid: "near", agentidentifiers: "host=near" });
  const far = await world.agent({ agentid: "far", agentidentifiers: "host=far" });
  const leaving = [openTunnel(world, near, 1, "near:80"), openTunnel(world, far, 1, "far:80")];
  const staying = [openTunnel(world, near, 2, "near:80"), openTunnel(world, far, 2, "far:80")];
  for (const client of leaving) client.stream.lose();
  world.settle();
  for (const agent of [near, far]) assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_REQ", "CLOSE_REQ 1"]);
  for (const agent of [near, far]) {
    agent.stream.sendPacket(closeResponse(1));
    agent.stream.sendData(2, bytes("on"));
  }
  world.settle();
  assert.deepEqual(staying.map((client) => client.text(2)), ["on", "on"]);
  assert.equal(world.server.establishedTunnels, 2);
});

Deno.test("[server 13.5-25] an agent that takes nothing holds its client back, the gauge shows it, and nothing is lost", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  agent.near.highWaterBytes = 1;
  const client = openTunnel(world, agent, 1);
  agent.stream.pause();
  assert.equal(world.server.heldClientStreams, 0);
  let sent = "";
  for (let round = 0; round < 200; round++) {
    const text = `packet ${round}\n`;
    sent += text;
    client.stream.sendData(1, bytes(text));
    world.settle();
  }
  assert.equal(world.server.heldClientStreams, 1);
  assert.ok(client.stream.pending > 150, "the client's packets wait with the client");
  assert.ok(world.server.queuedBytes < 1000, `${world.server.queuedBytes} bytes are held`);
  client.stream.sendPacket(closeRequest(1));
  // What comes behind the close is nobody's, and holds nothing up.
  client.stream.sendData(1, bytes("too late"));
  agent.stream.resume();
  world.settle();
  assert.equal(world.server.heldClientStreams, 0);
  assert.equal(agent.text(1), sent);
  assert.equal(agent.log.at(-1), "CLOSE_REQ 1");
  agent.stream.sendPacket(closeResponse(1));
  world.settle();
  assert.equal(client.log.at(-1), "CLOSE_RSP 1");
});

Deno.test("[server W15] an agent that takes nothing holds up no close and no other agent", async () => {
  const world = new ServerWorld({ strategies: ["destHost"] });
  const stuck = await world.agent({ agentid: "stuck", agentidentifiers: "host=stuck" });
  const well = await world.agent({ agentid: "well", agentidentifiers: "host=well" });
  stuck.near.highWaterBytes = 1;
  const sender = openTunnel(world, stuck, 1, "stuck:80");
  const leaving = openTunnel(world, stuck, 2, "stuck:80");
  const other = openTunnel(world, well, 1, "well:80");
  stuck.stream.pause();
  sender.stream.sendData(1, new Uint8Array(100_000));
  world.settle();
  leaving.stream.lose();
  sender.stream.lose();
  other.stream.sendData(1, bytes("prompt"));
  world.settle();
  assert.equal(well.text(1), "prompt");
  assert.equal(world.server.proxyCalls, 1, "the calls of both are over");
  stuck.stream.resume();
  world.settle();
  assert.deepEqual(stuck.log.filter((entry) => entry.startsWith("CLOSE_REQ")).sort(), ["CLOSE_REQ 1", "CLOSE_REQ 2"]);
});

Deno.test("[server W16] a dial that times out fails alone: its agent stays, with its other tunnels and for later dials", async () => {
  const world = new ServerWorld({ dialTimeoutMs: 500 });
  const agent = await world.agent();
  const client = openTunnel(world, agent, 1);
  // Back-pressure as of many busy tunnels: not even the request gets out.
  agent.near.highWaterBytes = 1;
  agent.stream.pause();
  const waiting = world.client();
  dial(world, waiting);
  world.clock.advance(499);
  assert.deepEqual(world.events.dialFailures, []);
  world.clock.advance(1);
  world.settle();
  assert.deepEqual(waiting.log, ["DIAL_RSP timed out waiting for backend dial"]);
  assert.deepEqual(world.events.dialFailures, ["backend_dial_timeout"]);
  assert.equal(world.server.pool.size, 1);
  assert.equal(world.server.notReady, undefined);
  agent.stream.resume();
  agent.stream.sendData(1, bytes("on"));
  world.settle();
  assert.equal(client.text(1), "on");
  const later = openTunnel(world, agent, 2);
  later.stream.sendData(2, bytes("works"));
  world.settle();
  assert.equal(agent.text(2), "works");
});

Deno.test("[server W17] an agent is told of the dial that timed out, and its late answer opens nothing", async () => {
  const world = new ServerWorld({ dialTimeoutMs: 500 });
  const agent = await world.agent();
  const client = world.client();
  dial(world, client);
  world.clock.advance(499);
  assert.deepEqual(world.events.dialFailures, []);
  world.clock.advance(1);
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS"]);
  agent.stream.sendPacket(dialed(agent.lastRandom, 5));
  world.settle();
  assert.deepEqual(agent.log, ["DIAL_REQ", "DIAL_CLS", "CLOSE_REQ 5"]);
  assert.equal(world.server.pendingDials + world.server.establishedTunnels, 0);
});

Deno.test("[server W17] no time limit outlives its dial, however that ends", async () => {
  const world = new ServerWorld({ dialTimeoutMs: 3_600_000 });
  const agent = await world.agent();
  const opened = openTunnel(world, agent, 1);
  opened.stream.sendPacket(closeRequest(1));
  world.settle();
  agent.stream.sendPacket(closeResponse(1));
  const lost = world.client();
  dial(world, lost);
  lost.stream.lose();
  const pending = world.client();
  dial(world, pending);
  assert.equal(world.clock.pending, 1);
  agent.stream.lose();
  world.settle();
  assert.match(pending.log.at(-1) ?? "", /^DIAL_RSP agent link lost/);
  assert.equal(world.clock.pending, 0);
});

Deno.test("[pains a-3] a thousand dials that fail leave nothing, and the next one works", async () => {
  const world = new ServerWorld();
  const agent = await world.agent();
  for (let round = 0; round < 1000; round++) {
    const client = world.client();
    dial(world, client);
    agent.stream.sendPacket(dialFailed(agent.lastRandom, "refused"));
    world.settle();
    assert.deepEqual(client.log, ["DIAL_RSP refused"]);
    client.stream.end();
    world.settle();
  }
  assert.equal(world.server.pendingDials + world.server.proxyCalls, 0);
  openTunnel(world, agent, 1);
});

/** A server with an agent of the original, and a client whose tunnel is connection 1 and whose stream is full at once. */
async function withSlowClient() {
  const world = new ServerWorld();
  const agent = await world.agent();
  const leaving = world.client();
  leaving.near.highWaterBytes = 1;
  dial(world, leaving);
  agent.stream.sendPacket(dialed(agent.lastRandom, 1));
  world.settle();
  return { world, agent, leaving };
}

/** Makes a client hold back its agent, which has no windows, by a mebibyte that it does not read. */
function stall(world: ServerWorld, agent: Peer, client: Peer, id: number): void {
  client.stream.pause();
  for (let sent = 0; sent < 1024 * 1024; sent += 32 * 1024) agent.stream.sendData(id, new Uint8Array(32 * 1024));
  world.settle();
  assert.equal(world.server.heldAgentStreams, 1);
}

Deno.test("a client that leaves while it holds its agent back lets it go at once, and what still comes for it holds nobody", async () => {
  const { world, agent, leaving } = await withSlowClient();
  const neighbour = openTunnel(world, agent, 2);
  stall(world, agent, leaving, 1);
  leaving.stream.lose();
  world.settle();
  assert.equal(world.server.heldAgentStreams, 0);
  agent.stream.sendData(1, new Uint8Array(32 * 1024));
  agent.stream.sendData(2, bytes("for the neighbour"));
  agent.stream.sendPacket(closeResponse(1));
  world.settle();
  assert.equal(neighbour.text(2), "for the neighbour");
  assert.equal(world.server.heldAgentStreams, 0);
  assert.equal(world.server.establishedTunnels, 1);
});

Deno.test("a client that closes and does not read holds its agent back for ten seconds once, and never again", async () => {
  const { world, agent, leaving } = await withSlowClient();
  openTunnel(world, agent, 2);
  leaving.stream.sendPacket(closeRequest(1));
  world.settle();
  stall(world, agent, leaving, 1);
  world.clock.advance(9_900);
  assert.equal(world.server.heldAgentStreams, 1);
  world.clock.advance(200);
  assert.equal(world.server.heldAgentStreams, 0);
  agent.stream.sendData(1, new Uint8Array(1024 * 1024));
  world.settle();
  assert.equal(world.server.heldAgentStreams, 0);
});

Deno.test("a client that has closed and then vanishes lets its agent go at once", async () => {
  const { world, agent, leaving } = await withSlowClient();
  leaving.stream.sendPacket(closeRequest(1));
  world.settle();
  stall(world, agent, leaving, 1);
  leaving.stream.lose();
  world.settle();
  assert.equal(world.server.heldAgentStreams, 0);
});

Deno.test("a client's last bytes reach a slow agent, however long it takes, and the close behind them", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "window" });
  const client = world.openTunnel(agent, 1);
  for (let sent = 0; sent < 512 * 1024; sent += 64 * 1024) client.stream.sendData(1, new Uint8Array(64 * 1024));
  client.stream.sendPacket(closeRequest(1));
  // What the client's stream lets through although it was told to pause, as within one chunk.
  client.near.resume();
  world.settle();
  for (let granted = 0; granted < 256 * 1024; granted += 32 * 1024) {
    assert.ok(!agent.log.includes("CLOSE_REQ 1"));
    world.clock.advance(29_000);
    agent.stream.sendPacket(windowCredit(1, 32 * 1024));
    client.near.resume();
    world.settle();
  }
  assert.equal(agent.log.filter((entry) => entry.startsWith("DATA 1")).reduce(sumOf, 0), 512 * 1024);
  assert.equal(agent.log.at(-1), "CLOSE_REQ 1");
  assert.equal(world.server.establishedTunnels, 1);
  world.clock.advance(60_000);
  assert.equal(world.server.establishedTunnels, 0);
});

function sumOf(sum: number, entry: string): number {
  return sum + Number(entry.split(" ")[2]);
}
