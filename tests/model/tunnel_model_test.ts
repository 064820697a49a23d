import assert from "node:assert/strict";
import fc from "fast-check";
import { agentLimits } from "../../src/agent/agent_limits.ts";
import { noAgentEvents } from "../../src/agent/agent_events.ts";
import type { DialResult } from "../../src/agent/dialler.ts";
import { Link } from "../../src/agent/link.ts";
import { Backend } from "../../src/server/backend.ts";
import { noServerEvents } from "../../src/server/server_events.ts";
import { ServerTunnel, type TunnelClient } from "../../src/server/tunnel.ts";
import { flowLimits } from "../../src/tunnel/flow_limits.ts";
import { GrowthBudget } from "../../src/tunnel/receive_window.ts";
import type { Feature } from "../../src/wire/metadata.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeSocket } from "../support/link_world.ts";
import { packetPair } from "../support/packet_pair.ts";

// Both ends of a link at once, the server's backend and the agent's link, with clients and destinations that do
// whatever a random script says, and packets that are delivered whenever it says so.

/** The most that a step of a script sends, in bytes. */
const maxStepBytes = 70_000;
const period = 251;
/** One period of counted bytes and all that one step can send behind any place in it. */
const pattern = Uint8Array.from({ length: period + maxStepBytes }, (_, at) => at % period);

/** Bytes that tell their place in their stream; 251 is prime, so that no packet size hides a gap. */
function counted(from: number, size: number): Uint8Array {
  return pattern.slice(from % period, from % period + size);
}

/** The reading end of a counted stream: fails on the first byte that is lost, doubled or out of order. */
class Meter {
  bytes = 0;

  take(payload: Uint8Array): void {
    for (let at = 0; at < payload.length; at += 97) {
      assert.equal(payload[at], (this.bytes + at) % period, "bytes are lost, doubled or out of order");
    }
    this.bytes += payload.length;
  }
}

/** A client that reads when the script lets it. */
class ModelClient implements TunnelClient {
  readonly halfCloses: boolean;
  readonly meter = new Meter();
  tunnel: ServerTunnel | undefined;
  sent = 0;
  reads = true;
  writable = true;
  /** Bytes that it was given and has not taken. */
  held = 0;
  endSeen = false;
  closed: string | undefined;
  /** It did something after which bytes may be missing. */
  gaveUp = false;
  endedSending = false;
  /** It closed, or ended where that closes: the destination's last bytes may be dropped. */
  closedItself = false;

  constructor(halfCloses: boolean) {
    this.halfCloses = halfCloses;
  }

  tunnelDialed(): void {}

  tunnelDialFailed(): void {
    this.closed = "dial failed";
  }

  tunnelData(payload: Uint8Array): boolean {
    assert.equal(this.closed, undefined, "bytes behind the end");
    assert.equal(this.endSeen, false, "bytes behind the destination's end");
    this.meter.take(payload);
    if (this.reads) return true;
    this.held += payload.length;
    return false;
  }

  tunnelWritable(): void {
    this.writable = true;
  }

  tunnelEnded(): void {
    this.endSeen = true;
  }

  tunnelClosed(error: string): void {
    assert.equal(this.closed, undefined, "told of the end twice");
    this.closed = error;
  }

  send(size: number): void {
    if (!this.writable || this.gaveUp || this.endedSending || this.tunnel?.state !== "open") return;
    const bytes = counted(this.sent, size);
    this.sent += size;
    this.writable = this.tunnel.send(bytes);
  }

  takeAll(): void {
    this.reads = true;
    if (this.held === 0) return;
    this.held = 0;
    this.tunnel?.clientDrained();
  }
}

/** A destination whose socket can stick; what it says is counted. */
class ModelDestination {
  readonly socket = new FakeSocket();
  readonly meter = new Meter();
  sent = 0;
  ended = false;
  broken = false;
  #seen = 0;

  send(size: number): void {
    if (this.socket.handler === undefined || this.socket.paused || this.socket.destroyed || this.ended || this.broken) {
      return;
    }
    const bytes = counted(this.sent, size);
    this.sent += size;
    this.socket.handler.onData(bytes);
  }

  end(): void {
    if (this.ended || this.broken || this.socket.destroyed || this.socket.handler === undefined) return;
    this.ended = true;
    this.socket.ends();
    this.closeIfDone();
  }

  break(): void {
    if (this.broken || this.socket.destroyed || this.socket.handler === undefined) return;
    this.broken = true;
    this.socket.closes(new Error("reset"));
  }

  /** A socket whose both sides have ended is gone, as the runtime has it. */
  closeIfDone(): void {
    if (!this.ended || !this.socket.ended || this.socket.destroyed || this.broken) return;
    this.broken = true;
    this.socket.closes();
  }

  measure(): void {
    for (const bytes of this.socket.written.slice(this.#seen)) this.meter.take(bytes);
    this.#seen = this.socket.written.length;
    // What was looked at need not be kept.
    if (this.#seen > 64) {
      this.socket.written.length = 0;
      this.#seen = 0;
    }
  }
}

class World {
  readonly clock = new FakeClock();
  readonly pair = packetPair();
  readonly serverGrowth: GrowthBudget;
  readonly agentGrowth: GrowthBudget;
  readonly backend: Backend;
  readonly link: Link;
  readonly clients: ModelClient[] = [];
  readonly destinations: ModelDestination[] = [];
  lost = false;
  #nextId = 0n;
  #dials: ((result: DialResult) => void)[] = [];

  readonly features: ReadonlySet<Feature>;

  constructor(features: ReadonlySet<Feature>, growthBytes: number, linkBufferBytes: number) {
    this.features = features;
    this.serverGrowth = new GrowthBudget(growthBytes);
    this.agentGrowth = new GrowthBudget(growthBytes);
    this.pair.near.highWaterBytes = linkBufferBytes;
    this.pair.far.highWaterBytes = linkBufferBytes;
    // A peer at the other side of the world lets windows grow as far as the budget allows.
    this.pair.near.roundTripMs = this.pair.far.roundTripMs = 1e9;
    this.backend = new Backend(
      { agentId: "a", identifiers: { ipv4: [], ipv6: [], host: [], cidr: [], defaultRoute: false }, features },
      this.pair.near,
      {
        dialTimeoutMs: 0,
        events: noServerEvents,
        growth: this.serverGrowth,
        redial: () => false,
        onClosed: () => {},
      },
    );
    this.link = new Link(this.pair.far, { serverId: "s", features }, {
      dial: () => new Promise((resolve) => this.#dials.push(resolve)),
      clock: this.clock,
      limits: agentLimits,
      events: noAgentEvents,
      budget: this.agentGrowth,
    }, { linkIdle: () => {}, linkClosed: () => {} });
    this.backend.start();
    this.link.start();
  }

  dial(halfCloses: boolean): void {
    if (this.lost || this.clients.length >= 4) return;
    const client = new ModelClient(halfCloses);
    client.tunnel = new ServerTunnel(
      ++this.#nextId,
      { protocol: "tcp", address: "x:1" },
      client,
      noServerEvents,
    );
    this.clients.push(client);
    this.backend.dial(client.tunnel);
  }

  async answer(): Promise<void> {
    const resolve = this.#dials.shift();
    if (resolve === undefined) return;
    const destination = new ModelDestination();
    this.destinations.push(destination);
    resolve({ ok: true, stream: destination.socket } as DialResult);
    await turns();
  }

  lose(): void {
    this.lost = true;
    this.pair.near.lose();
  }

  /** Delivers, reads and answers until nothing moves any more. */
  async finish(): Promise<void> {
    for (let round = 0; round < 10_000; round++) {
      const before = this.#progress();
      while (this.#dials.length > 0) await this.answer();
      this.pair.settle();
      for (const client of this.clients) client.takeAll();
      for (const destination of this.destinations) {
        if (destination.socket.stuck) destination.socket.takes();
        destination.measure();
        destination.closeIfDone();
      }
      await turns();
      if (this.#progress() === before) return;
    }
    assert.fail("the world never comes to rest");
  }

  #progress(): string {
    const { near, far } = this.pair;
    const bytes = this.clients.map(({ meter, held }) => `${meter.bytes}/${held}`).join();
    const written = this.destinations.map(({ meter, socket }) => `${meter.bytes}/${socket.destroyed}/${socket.ended}`);
    return `${near.pending} ${far.pending} ${bytes} ${written.join()} ${this.#dials.length} ${this.link.load}`;
  }
}

/** Promise callbacks run; nothing else can be waiting in this world. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}

const actions = [
  "client sends",
  "client sends",
  "client sends",
  "destination sends",
  "destination sends",
  "destination sends",
  "deliver to agent",
  "deliver to agent",
  "deliver to server",
  "deliver to server",
  "client sticks",
  "client reads",
  "destination sticks",
  "destination reads",
  "dial",
  "answer",
  "client ends",
  "destination ends",
  "client closes",
  "client gives up",
  "destination breaks",
  "lose",
] as const;

const script = fc.array(
  fc.tuple(fc.constantFrom(...actions), fc.nat(3), fc.integer({ min: 1, max: maxStepBytes })),
  { minLength: 10, maxLength: 150, size: "max" },
);

async function act(world: World, [action, which, size]: readonly [typeof actions[number], number, number]) {
  const client = world.clients[which % Math.max(1, world.clients.length)];
  const destination = world.destinations[which % Math.max(1, world.destinations.length)];
  switch (action) {
    case "dial":
      return world.dial(size % 2 === 0);
    case "answer":
      return await world.answer();
    case "client sends":
      return client?.send(size);
    case "client sticks":
      if (client !== undefined) client.reads = false;
      return;
    case "client reads":
      return client?.takeAll();
    case "client ends":
      if (client?.tunnel?.state !== "open" || client.endedSending || client.gaveUp) return;
      client.endedSending = true;
      client.closedItself ||= !world.features.has("half-close");
      return client.tunnel.end();
    case "client closes":
      if (client === undefined || client.gaveUp) return;
      client.endedSending = true;
      client.closedItself = true;
      return client.tunnel?.close();
    case "client gives up":
      if (client === undefined || size % 4 !== 0) return;
      client.gaveUp = true;
      return client.tunnel?.abort("reset", "client", "");
    case "destination sends":
      return destination?.send(size);
    case "destination sticks":
      if (destination !== undefined) destination.socket.stuck = true;
      return;
    case "destination reads":
      if (destination?.socket.stuck === true) destination.socket.takes();
      return destination?.closeIfDone();
    case "destination ends":
      return destination?.end();
    case "destination breaks":
      return size % 4 === 0 ? destination?.break() : undefined;
    case "deliver to agent":
      for (let i = 0; i < size % 8; i++) world.pair.near.deliverOne();
      return await turns();
    case "deliver to server":
      for (let i = 0; i < size % 8; i++) world.pair.far.deliverOne();
      return;
    case "lose":
      return size % 16 === 0 && !world.lost ? world.lose() : undefined;
  }
}

function checkWindows(world: World, growthBytes: number): void {
  if (!world.features.has("window")) return;
  const limit = growthBytes > 0 ? flowLimits.maxWindowBytes : flowLimits.initialWindowBytes;
  for (const client of world.clients) {
    assert.ok(client.held <= limit, `a client holds ${client.held} bytes, more than a window`);
  }
  for (const destination of world.destinations) {
    destination.measure();
  }
  assert.ok(world.link.queuedBytes <= 4 * (limit + 2 * maxStepBytes), "the agent holds more than windows and one read");
  assert.ok(
    world.backend.queuedBytes <= 4 * (limit + 2 * maxStepBytes),
    "the server holds more than windows and one read",
  );
}

function checkNothingLeft(world: World, growthBytes: number): void {
  assert.equal(world.backend.tunnelCount, 0, "tunnels left at the server");
  assert.equal(world.backend.pendingDials, 0, "dials left at the server");
  assert.equal(world.backend.queuedBytes, 0, "bytes left at the server");
  assert.equal(world.link.load, 0, "tunnels left at the agent");
  assert.equal(world.link.queuedBytes, 0, "bytes left at the agent");
  assert.equal(world.serverGrowth.left, growthBytes, "growth not given back at the server");
  assert.equal(world.agentGrowth.left, growthBytes, "growth not given back at the agent");
}

/** What windows may grow by: nothing, one step of one window, or all that a process has. */
const growths = fc.constantFrom(0, flowLimits.initialWindowBytes, flowLimits.growthBudgetBytes);

const featureSets: readonly (readonly Feature[])[] = [["window", "half-close"], ["window"], ["half-close"], []];

for (const features of featureSets) {
  const name = features.length === 0 ? "none" : features.join(" and ");
  const runs = features.includes("window") && features.includes("half-close") ? 3000 : 1000;
  Deno.test(`any interleaving over a link with ${name} loses, doubles and reorders nothing, and leaves nothing`, async () => {
    await fc.assert(
      fc.asyncProperty(script, growths, fc.constantFrom(1, 16 * 1024, Infinity), async (steps, growth, buffer) => {
        const world = new World(new Set(features), growth, buffer);
        world.dial(true);
        world.dial(false);
        world.pair.settle();
        await turns();
        await world.answer();
        await world.answer();
        world.pair.settle();
        for (const step of steps) {
          await act(world, step);
          checkWindows(world, growth);
        }
        // Everybody who still can ends in order: first what was said arrives, then nothing is left.
        await world.finish();
        const inOrder = !world.lost;
        for (const [at, client] of world.clients.entries()) {
          const destination = world.destinations[at];
          if (!inOrder || client.gaveUp || destination === undefined || destination.broken) continue;
          // A destination that ended in order is heard to its last byte, whatever the client still sends.
          if (destination.ended && !client.closedItself) {
            assert.equal(
              client.meter.bytes,
              destination.sent,
              "the client lacks bytes from before the destination's end",
            );
          }
          if (client.tunnel?.state !== "open" || client.endedSending || destination.ended) continue;
          assert.equal(destination.meter.bytes, client.sent, "the destination lacks bytes of an open tunnel");
          assert.equal(client.meter.bytes, destination.sent, "the client lacks bytes of an open tunnel");
        }
        for (const destination of world.destinations) destination.end();
        for (const client of world.clients) client.tunnel?.close();
        await world.finish();
        world.clock.advance(60_000);
        await world.finish();
        checkNothingLeft(world, growth);
        if (!world.lost) world.pair.near.lose();
      }),
      { numRuns: runs },
    );
  });
}
