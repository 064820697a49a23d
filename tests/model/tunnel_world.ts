import assert from "node:assert/strict";
import { agentLimits } from "../../src/agent/agent_limits.ts";
import { noAgentEvents } from "../../src/agent/agent_events.ts";
import type { DialResult } from "../../src/agent/dialler.ts";
import { Link } from "../../src/agent/link.ts";
import { Backend } from "../../src/server/backend.ts";
import { noServerEvents } from "../../src/server/server_events.ts";
import { ServerTunnel } from "../../src/server/tunnel.ts";
import type { TunnelClient } from "../../src/server/tunnel_client.ts";
import type { Channel } from "../../src/mux/channel.ts";
import type { ByteStream, ByteStreamHandler } from "../../src/streams/byte_stream.ts";
import { pipe } from "../../src/streams/pipe.ts";
import { GrowthBudget } from "../../src/streams/growth_budget.ts";
import type { Feature } from "../../src/wire/metadata.ts";
import { VirtualClock } from "../support/fakes/virtual_clock.ts";
import { FakeSocket } from "../support/memory/link_world.ts";
import { packetPair } from "../support/memory/packet_pair.ts";
import { unknownPeer } from "../../src/wire/peer_identity.ts";

/** The most that a step of a script sends, in bytes. */
export const maxStepBytes = 70_000;
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
class ModelClient implements TunnelClient, ByteStream {
  readonly place = "stream";
  readonly peer = unknownPeer;
  readonly frontend = "grpc";
  readonly halfCloses: boolean;
  readonly meter = new Meter();
  tunnel: ServerTunnel | undefined;
  handler: ByteStreamHandler | undefined;
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

  faulted(): void {}

  tunnelDialed(channel: Channel): void {
    pipe(this, channel);
  }

  tunnelDialFailed(): void {
    this.closed = "dial failed";
  }

  start(handler: ByteStreamHandler): void {
    this.handler = handler;
  }

  write(payload: Uint8Array): boolean {
    assert.equal(this.closed, undefined, "bytes behind the end");
    assert.equal(this.endSeen, false, "bytes behind the destination's end");
    this.meter.take(payload);
    if (this.reads) return true;
    this.held += payload.length;
    return false;
  }

  pause(): void {
    this.writable = false;
  }

  resume(): void {
    this.writable = true;
  }

  end(): void {
    this.endSeen = true;
  }

  destroy(error?: Error): void {
    assert.equal(this.closed, undefined, "told of the end twice");
    this.closed = error?.message ?? "";
  }

  send(size: number): void {
    if (!this.writable || this.gaveUp || this.endedSending || this.tunnel?.state !== "open") return;
    const bytes = counted(this.sent, size);
    this.sent += size;
    this.handler?.onData(bytes);
  }

  takeAll(): void {
    this.reads = true;
    if (this.held === 0) return;
    this.held = 0;
    this.handler?.onDrain();
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

/**
 * Both ends of a link at once, the server's backend and the agent's link, with clients and destinations that do whatever a
 * random script says, and packets that are delivered whenever it says so.
 */
export class World {
  readonly clock = new VirtualClock();
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
      {
        agentId: "a",
        identifiers: { ipv4: [], ipv6: [], host: [], cidr: [], defaultRoute: false },
        peer: unknownPeer,
        token: undefined,
        features,
      },
      this.pair.near,
      {
        dialTimeoutMs: 0,
        maxLinkAgeMs: 0,
        clock: this.clock,
        events: noServerEvents,
        growth: this.serverGrowth,
        random: () => 0.5,
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
      this.clock,
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
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}
