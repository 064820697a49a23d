/** What throws on a tunnel's way through the server or the agent ends that tunnel; its neighbours on the link go on. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { Keepalive } from "../../src/liveness/keepalive.ts";
import { noServerEvents, type ServerEvents } from "../../src/server/server_events.ts";
import { openChannel, sessionOn } from "../support/memory/channel_owner.ts";
import { closeRequest, closeResponse, dialed, dialRequest, PacketType } from "../../src/wire/packet.ts";
import { turns, VirtualClock } from "../support/fakes/virtual_clock.ts";
import { expectFaults } from "../support/assert/faults.ts";
import { Caller } from "../support/memory/connect_caller.ts";
import { FakeSocket, LinkWorld } from "../support/memory/link_world.ts";
import { packetPair } from "../support/memory/packet_pair.ts";
import { type Peer, ServerWorld } from "../support/memory/server_world.ts";
import { SetWorld } from "../support/memory/set_world.ts";
import { until } from "../support/assert/until.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** Sends bytes both ways through a tunnel, and sees them arrive. */
function exchange(world: ServerWorld, agent: Peer, client: Peer, id: number): void {
  const [toAgent, toClient] = [agent.data.length, client.data.length];
  client.stream.sendData(id, text("ask"));
  world.settle();
  agent.stream.sendData(id, text("answer"));
  world.settle();
  assert.deepEqual([agent.data.length, client.data.length], [toAgent + 1, toClient + 1], "the neighbour goes on");
}

/** Events of which one throws, the first times that it happens. */
function brokenEvent(name: keyof ServerEvents, times = 1): ServerEvents {
  let left = times;
  return {
    ...noServerEvents,
    [name]: () => {
      if (left-- > 0) throw new Error(`broken ${name}`);
    },
  };
}

for (const event of ["dialed", "tunnelClosed", "frontendWritten", "dialFailed"] as const) {
  Deno.test(`a metric that throws at ${event} ends one tunnel: its client is told, and its neighbour goes on`, async () => {
    using faults = expectFaults();
    let broken: ServerEvents = noServerEvents;
    const events = new Proxy({} as ServerEvents, { get: (_, name) => broken[name as keyof ServerEvents] });
    const world = new ServerWorld({ events });
    const agent = await world.agent();
    const neighbour = world.openTunnel(agent, 1);
    const victim = event === "dialed" || event === "dialFailed" ? world.client() : world.openTunnel(agent, 2);
    broken = brokenEvent(event);
    if (event === "dialed" || event === "dialFailed") {
      victim.stream.sendPacket(dialRequest({ protocol: "tcp", address: "localhost:80" }, 7n));
      world.settle();
      agent.stream.sendPacket(
        event === "dialed" ? dialed(agent.lastRandom, 2) : {
          ...dialed(agent.lastRandom, 2),
          payload: { case: "dialResponse", value: { random: agent.lastRandom, connectID: 0n, error: "no" } },
        } as ReturnType<typeof dialed>,
      );
    } else if (event === "frontendWritten") agent.stream.sendData(2, text("x"));
    else agent.stream.sendPacket(closeResponse(2));
    world.settle();
    assert.equal(faults.seen[0]?.error.message, `broken ${event}`);
    assert.equal(faults.seen[0]?.place, "tunnel");
    assert.ok(victim.packets.some(({ type }) => type === PacketType.CLOSE_RSP || type === PacketType.DIAL_RSP), "told");
    exchange(world, agent, neighbour, 1);
    assert.equal(world.server.establishedTunnels, 1);
    assert.equal(world.server.pendingDials, 0);
  });
}

Deno.test("a CONNECT whose tunnel ends by an exception at the agent's answer is answered, and leaves nothing", async () => {
  using faults = expectFaults();
  const world = new ServerWorld({ events: brokenEvent("dialed") });
  const agent = await world.agent();
  const caller = new Caller(world, "localhost:80");
  await turns();
  world.settle();
  agent.stream.sendPacket(dialed(agent.lastRandom, 2));
  world.settle();
  const answer = caller.answer();
  await turns();
  // Whoever was not answered by now would not be until he hangs up.
  caller.hangUp();
  assert.deepEqual(await answer, {
    status: 502,
    body: "Backend context error: internal error of the proxy server\r\n",
  });
  assert.equal(faults.seen.length, 1);
  assert.deepEqual([agent.log.at(-1), world.server.establishedTunnels, world.server.connectRequests], [
    "CLOSE_REQ 2",
    0,
    0,
  ]);
});

Deno.test("a strategy that throws ends the stream that asked, and the next dial is served", async () => {
  using faults = expectFaults();
  const world = new ServerWorld();
  const agent = await world.agent();
  const neighbour = world.openTunnel(agent, 1);
  const { pool } = world.server;
  const pick = pool.pick.bind(pool);
  let left = 1;
  pool.pick = (...args) => {
    if (left-- > 0) throw new Error("broken strategy");
    return pick(...args);
  };
  const victim = world.client();
  victim.stream.sendPacket(dialRequest({ protocol: "tcp", address: "localhost:80" }, 7n));
  // The stream in memory hands its reader's exceptions on; those over sockets take them (streams_test).
  assert.throws(() => world.settle(), /broken strategy/);
  assert.deepEqual(faults.seen, []);
  world.openTunnel(agent, 2);
  exchange(world, agent, neighbour, 1);
});

Deno.test("a listener of the pool that throws loses the agent that came, and no other", async () => {
  using faults = expectFaults();
  let left = 1;
  const world = new ServerWorld({
    onChange: () => {
      if (left-- > 0) throw new Error("broken listener");
    },
  });
  await world.agent();
  assert.equal(faults.seen[0]?.error.message, "broken listener");
  assert.equal(world.server.pool.size, 0);
  assert.equal(world.server.connectCalls, 0);
  const agent = await world.agent();
  exchange(world, agent, world.openTunnel(agent, 1), 1);
});

Deno.test("a check of agents that throws refuses one agent, and the next is admitted", async () => {
  using faults = expectFaults();
  let left = 1;
  const world = new ServerWorld({
    authenticate: () => {
      if (left-- > 0) throw new TypeError("broken check");
      return Promise.resolve(undefined as never);
    },
  });
  const refused = await world.agent();
  assert.ok(refused.refusal !== undefined);
  assert.equal(faults.seen[0]?.place, "call");
  const agent = await world.agent();
  exchange(world, agent, world.openTunnel(agent, 1), 1);
});

Deno.test("a link writes on after a turn of it threw", () => {
  using faults = expectFaults();
  const { near, far } = packetPair();
  far.start({ onData: () => {}, onPacket: () => {}, onDrain: () => {}, onEnd: () => {}, onClose: () => {} });
  const session = sessionOn(near);
  let goesOn = 0;
  let ended = 0;
  near.highWaterBytes = 1;
  const channels = [
    () => {
      throw new Error("broken source");
    },
    () => void goesOn++,
  ].map((onDrain, at) => openChannel(session, at + 1, { faulted: () => void ended++ }, { onDrain }));
  for (const channel of channels) while (channel.write(new Uint8Array(100)));
  near.start({
    onData: () => {},
    onPacket: () => {},
    onDrain: () => session.scheduler.onDrain(),
    onEnd: () => {},
    onClose: () => {},
  });
  near.highWaterBytes = Infinity;
  while (near.deliverOne());
  assert.deepEqual([goesOn, ended], [1, 1]);
  assert.equal(faults.seen[0]?.error.message, "broken source");
});

/** Sockets of destinations that throw. */
class BrokenSocket extends FakeSocket {
  readonly #at: string;

  constructor(at: string) {
    super();
    this.#at = at;
  }

  override write(bytes: Uint8Array): boolean {
    if (this.#at === "write") throw new Error("broken write");
    return super.write(bytes);
  }

  override end(): void {
    if (this.#at === "end") throw new Error("broken end");
    super.end();
  }
}

for (const at of ["write", "end"]) {
  Deno.test(`an agent's destination that throws at ${at} ends its tunnel, and the next tunnel on the link goes on`, async () => {
    using faults = expectFaults();
    const world = new LinkWorld(["half-close", "window"]);
    const { id, socket } = await world.tunnel(1n);
    world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "destination:80" }, 2n));
    await world.settle();
    world.dials.at(-1)?.end({ ok: true, stream: new BrokenSocket(at) });
    await world.settle();
    world.server.stream.sendData(id + 1, text("x"));
    world.server.stream.sendPacket(closeRequest(id + 1));
    await world.settle();
    assert.equal(faults.seen[0]?.error.message, `broken ${at}`);
    assert.equal(faults.seen[0]?.place, "tunnel");
    world.server.stream.sendData(id, text("still there"));
    await world.settle();
    assert.equal(socket.text, "still there");
    assert.equal(world.link.tunnelCount, 1);
    assert.equal(world.ended, undefined);
  });
}

Deno.test("a dial that throws, at once or later, is answered with an error, and the next dial is served", async () => {
  using faults = expectFaults();
  const world = new LinkWorld();
  world.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "destination:80" }, 5n));
  await world.settle();
  world.dials.at(-1)?.end(Promise.reject(new Error("broken dial")) as never);
  await world.settle();
  await turns();
  await world.settle();
  assert.equal(faults.seen[0]?.error.message, "broken dial");
  const answer = world.server.packets.at(-1)?.payload;
  assert.ok(answer?.case === "dialResponse" && /internal error/.test(answer.value.error));
  assert.equal(world.link.pendingDials, 0);
  await world.tunnel(6n);
});

Deno.test("a probe that throws ends its link, as a server that does not answer does", async () => {
  using faults = expectFaults();
  const clock = new VirtualClock();
  let dead = 0;
  const peer = {
    activity: 0,
    probe: () => {
      throw new Error("broken probe");
    },
    onTimeout: () => void dead++,
  };
  new Keepalive(peer, { timeMs: 1000, timeoutMs: 1000 }, clock).start();
  clock.advance(2000);
  await turns();
  assert.equal(dead, 1);
  assert.equal(faults.seen[0]?.error.message, "broken probe");
});

Deno.test("a set of servers whose resolver or transport throws goes on connecting, and the fault is no server's", async () => {
  using faults = expectFaults();
  let left = 1;
  const world = new SetWorld({
    resolve: () => {
      if (left-- > 0) throw new TypeError("broken resolver");
      return Promise.resolve(["lb"]);
    },
  });
  world.place("lb", { serverId: "server-1", serverCount: 1, up: true });
  world.set.start();
  await turns();
  assert.equal(faults.seen[0]?.error.message, "broken resolver");
  assert.equal(faults.seen[0]?.place, "servers");
  for (let i = 0; i < 20 && world.set.connections.size === 0; i++) {
    world.clock.advance(1000);
    await turns();
    for (const { settle } of world.links) settle();
    await turns();
  }
  assert.equal(world.set.connections.size, 1);
  world.set.close("the test is over");
});

Deno.test("a timer's callback that throws ends its owner, and the next timer comes", async () => {
  using faults = expectFaults();
  let ended = 0;
  let reached = 0;
  const owner = { place: "timer" as const, faulted: () => void ended++ };
  const broken = () => {
    throw new Error("broken timer");
  };
  systemClock.after(1, broken, owner);
  systemClock.after(2, broken, owner);
  systemClock.after(2, () => void reached++, owner);
  await until("all came", () => reached === 1 && ended === 2);
  assert.equal(faults.seen.length, 2);
});
