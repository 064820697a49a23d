import assert from "node:assert/strict";
import { Caller } from "../support/memory/connect_caller.ts";
import { connectMs, ProxyWorld } from "../support/memory/proxy_world.ts";
import { EventCounts, type Peer } from "../support/memory/server_world.ts";
import { closeRequest, dialRequest } from "../../src/wire/packet.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dialTimeoutMs = 30 * secondMs;

const bytes = (text: string) => new TextEncoder().encode(text);

/** What a server reported, with its lengths of time. */
class TimedEvents extends EventCounts {
  readonly dialSeconds: number[] = [];
  readonly tunnelSeconds: number[] = [];

  override dialed(seconds = 0): void {
    super.dialed();
    this.dialSeconds.push(seconds);
  }

  override tunnelClosed(...about: Parameters<EventCounts["tunnelClosed"]>): void {
    super.tunnelClosed(...about);
    this.tunnelSeconds.push(about[0]);
  }
}

/** A server and an agent that is linked to it. */
async function linked(options: { maxLinkAgeMs?: number; audit?: (line: string) => void } = {}) {
  const events = new TimedEvents();
  const world = new ProxyWorld({ events, dialTimeoutMs, ...options });
  world.agent.start();
  await world.run(secondMs);
  assert.deepEqual([world.agent.ready, world.serverWorld.server.pool.size], [true, 1]);
  return { world, events };
}

/** Has a client ask for a destination. */
function ask(world: ProxyWorld, address = "destination:80"): Peer {
  const client = world.serverWorld.client();
  client.stream.sendPacket(dialRequest({ protocol: "tcp", address }, 1n));
  return client;
}

/** The connection's id in a client's answer. */
function idOf(client: Peer): number {
  const answer = client.packets.at(0)?.payload;
  assert.ok(answer?.case === "dialResponse" && answer.value.error === "", client.log.join());
  return Number(answer.value.connectID);
}

/** Ends the agent, and shows that nothing of either side is left, no deadline either. */
async function finish(world: ProxyWorld): Promise<void> {
  const closed = world.agent.close();
  await world.run(10 * secondMs);
  await closed;
  const { server } = world.serverWorld;
  assert.deepEqual(
    [server.pool.size, server.establishedTunnels, server.pendingDials, server.queuedBytes, world.open.length],
    [0, 0, 0, 0, 0],
  );
  // A server pings a link whose other end is gone until it has no answer.
  await world.run(minuteMs);
  assert.equal(world.clock.pending, 0);
}

Deno.test("a whole server and a whole agent live in virtual time: link, dial, bytes both ways, close", async () => {
  const lines: string[] = [];
  const { world, events } = await linked({ audit: (line) => void lines.push(line) });
  world.clock.setTimeOfDay(Date.UTC(2030, 0, 1));
  const client = ask(world);
  await world.run(connectMs - 1);
  assert.deepEqual(client.log, []);
  await world.run(1);
  const id = idOf(client);
  assert.deepEqual(events.dialSeconds, [connectMs / 1000]);
  client.stream.sendData(id, bytes("hello"));
  await world.settle();
  world.sockets[0]?.says("world");
  await world.settle();
  assert.deepEqual([world.sockets[0]?.text, client.text(id)], ["hello", "world"]);
  await world.run(90 * minuteMs);
  client.stream.sendPacket(closeRequest(id));
  await world.settle();
  world.sockets[0]?.closes();
  await world.settle();
  assert.deepEqual(events.tunnelSeconds, [90 * 60]);
  assert.match(lines[0] ?? "", /"time":"2030-01-01T00:00:00\.040Z","event":"dial",.*"seconds":0\.040/);
  assert.match(lines[1] ?? "", /"time":"2030-01-01T01:30:00\.040Z","event":"close",.*"seconds":5400\.000/);
  await finish(world);
});

Deno.test("under virtual time a dial that nobody answers fails at its deadline, and is given up at the agent", async () => {
  const { world, events } = await linked();
  const client = ask(world, "silent:1");
  await world.run(dialTimeoutMs - 1);
  assert.deepEqual([client.log, world.silent[0]?.aborted], [[], false]);
  await world.run(1);
  assert.deepEqual(client.log, ["DIAL_RSP timed out waiting for backend dial"]);
  assert.deepEqual([events.dialFailures, world.silent[0]?.aborted], [["backend_dial_timeout"], true]);
});

Deno.test("under virtual time a CONNECT whose client has ended is closed after five idle minutes", async () => {
  const { world } = await linked();
  const caller = new Caller(world.serverWorld, "destination:80");
  const attached = caller.attach();
  await world.run(connectMs);
  const socket = await attached;
  socket.ends();
  await world.run(4 * minuteMs);
  world.sockets[0]?.says("still here");
  await world.run(4 * minuteMs);
  assert.deepEqual([socket.text, socket.destroyed], ["still here", false]);
  await world.run(2 * minuteMs);
  assert.equal(socket.destroyed, true);
  world.sockets[0]?.closes();
  await finish(world);
});

Deno.test("under virtual time a link that falls silent is given up at both ends, and made again once there is a network", async () => {
  const { world, events } = await linked();
  const client = ask(world);
  await world.run(minuteMs);
  const { server } = world.serverWorld;
  const attempts = world.attempts.length;
  world.cut();
  client.stream.sendData(idOf(client), bytes("into the void"));
  await world.run(9 * secondMs);
  assert.deepEqual([server.pool.size, world.agent.serverConnections], [1, 1]);
  await world.run(21 * secondMs);
  assert.deepEqual([server.pool.size, world.agent.serverConnections, world.agent.ready], [0, 0, false]);
  assert.deepEqual(events.closes, ["link_lost by agent"]);
  assert.match(client.log.at(-1) ?? "", /^CLOSE_RSP \d+ agent link lost: no answer to a ping in 15000 ms$/);
  assert.ok(world.agentEvents.log.includes("closed: link_lost by agent"), world.agentEvents.log.join());
  world.sockets[0]?.closes();
  // The times between attempts grow by half, up to ten seconds and a twentieth.
  await world.run(5 * minuteMs);
  const tried = world.attempts.slice(attempts);
  const gaps = tried.slice(1).map((at, i) => at - (tried[i] ?? 0));
  assert.ok(gaps.length > 25, gaps.join());
  gaps.forEach((gap, i) => {
    const expected = Math.min(secondMs * 1.5 ** i, 10 * secondMs) * 1.05;
    assert.ok(Math.abs(gap - expected) < 1.5, `${i}: ${gap} and not ${expected}`);
  });
  world.connected = true;
  await world.run(10.5 * secondMs);
  assert.deepEqual([server.pool.size, world.agent.ready], [1, true]);
  const next = ask(world);
  await world.run(connectMs);
  idOf(next);
  next.stream.lose();
  await world.settle();
  for (const socket of world.sockets) socket.closes();
  await finish(world);
});

Deno.test("under virtual time a link that is as old as it may be is replaced, and hours pass in moments", async () => {
  const startedAt = performance.now();
  const { world } = await linked({ maxLinkAgeMs: hourMs });
  const [first] = world.open;
  await world.run(hourMs - 2 * secondMs);
  assert.ok(first !== undefined && world.open.includes(first));
  await world.run(0.1 * hourMs + 10 * secondMs);
  assert.equal(first.near.closed?.kind, "ended");
  assert.deepEqual([world.serverWorld.server.pool.size, world.agent.ready], [1, true]);
  await world.run(1.9 * hourMs);
  assert.deepEqual([world.serverWorld.server.pool.size, world.agent.ready], [1, true]);
  await finish(world);
  const tookMs = performance.now() - startedAt;
  assert.ok(world.clock.now() / tookMs > 100, `${world.clock.now()} ms took ${tookMs} ms`);
});
