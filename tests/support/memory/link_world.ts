import assert from "node:assert/strict";
import type { AgentEvents } from "../../../src/agent/agent_events.ts";
import { type AgentLimits, agentLimits } from "../../../src/agent/agent_limits.ts";
import type { DialOptions, DialResult } from "../../../src/agent/dialler.ts";
import { Link } from "../../../src/agent/link.ts";
import type { ByteStream, ByteStreamHandler } from "../../../src/streams/byte_stream.ts";
import { flowLimits } from "../../../src/mux/flow_limits.ts";
import { GrowthBudget } from "../../../src/streams/growth_budget.ts";
import type { StreamEnd } from "../../../src/streams/packet_stream.ts";
import type { Feature } from "../../../src/wire/metadata.ts";
import { dialRequest } from "../../../src/wire/packet.ts";
import { turns, VirtualClock } from "../fakes/virtual_clock.ts";
import { packetPair, type PairEnd } from "./packet_pair.ts";
import { Peer } from "./server_world.ts";

/** A socket to a destination that the test plays. */
export class FakeSocket implements ByteStream {
  handler: ByteStreamHandler | undefined;
  readonly written: Uint8Array[] = [];
  /** Writes return false, as of a destination that does not read. */
  stuck = false;
  paused = false;
  ended = false;
  destroyed = false;

  start(handler: ByteStreamHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    this.written.push(bytes);
    return !this.stuck;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.handler?.onClose(undefined);
  }

  get writtenBytes(): number {
    return this.written.reduce((sum, { length }) => sum + length, 0);
  }

  get text(): string {
    const decoder = new TextDecoder();
    return this.written.map((bytes) => decoder.decode(bytes, { stream: true })).join("");
  }

  /** The destination says something. */
  says(text: string): void {
    this.handler?.onData(new TextEncoder().encode(text));
  }

  /** The destination takes what was written. */
  takes(): void {
    this.stuck = false;
    this.handler?.onDrain();
  }

  /** The destination takes what was written, and no more. */
  takesSome(): void {
    this.handler?.onDrain();
  }

  /** The destination ends its direction. */
  ends(): void {
    this.handler?.onEnd();
  }

  /** The connection breaks, or is closed by both sides. */
  closes(error?: Error): void {
    this.destroyed = true;
    this.handler?.onClose(error);
  }
}

/** A dial that waits for the test to end it. */
export interface FakeDial {
  readonly network: string;
  readonly address: string;
  readonly options: DialOptions;
  end(result: DialResult): void;
}

/** What an agent reported, in short. */
export class AgentEventLog implements AgentEvents {
  readonly log: string[] = [];

  endpointDialed(): void {
    this.log.push("dialed");
  }

  endpointDialFailed(reason: string): void {
    this.log.push(`dial failed: ${reason}`);
  }

  linkOpened(): void {}

  linkClosed(): void {}

  linkFailed(): void {}

  dialDropped(): void {}

  endpointClosed(_seconds: number, reason: string, initiator: string): void {
    this.log.push(`closed: ${reason} by ${initiator}`);
  }

  streamFailed(segment: string, code: string, packetType: string): void {
    this.log.push(`stream failed: ${segment} ${code} ${packetType}`);
  }
}

/** One link of an agent, between a server and destinations that the test plays. */
export class LinkWorld {
  readonly clock = new VirtualClock();
  readonly events = new AgentEventLog();
  readonly server: Peer;
  readonly near: PairEnd;
  readonly link: Link;
  readonly dials: FakeDial[] = [];
  ended: StreamEnd | undefined;
  idleReports = 0;
  readonly #settle: () => void;

  /** @param events what hears of it instead of {@link events} */
  constructor(features: readonly Feature[] = [], limits: Partial<AgentLimits> = {}, events?: AgentEvents) {
    const pair = packetPair();
    this.near = pair.near;
    this.#settle = pair.settle;
    this.server = new Peer(pair.far, pair.near);
    this.link = new Link(
      pair.near,
      { serverId: "server-1", features: new Set(features) },
      {
        dial: (network, address, options) =>
          new Promise((resolve) => this.dials.push({ network, address, options, end: resolve })),
        clock: this.clock,
        limits: { ...agentLimits, ...limits },
        events: events ?? this.events,
        budget: new GrowthBudget(flowLimits.growthBudgetBytes),
      },
      {
        linkIdle: () => {
          this.idleReports++;
        },
        linkClosed: (_link, end) => {
          this.ended = end;
        },
      },
    );
    this.link.start();
  }

  /** Lets everything that is in flight arrive. */
  async settle(): Promise<void> {
    this.#settle();
    await turns();
    this.#settle();
  }

  /** Dials, and ends the dial with a socket. Returns the connection's id and the socket. */
  async tunnel(random = 111n): Promise<{ readonly id: number; readonly socket: FakeSocket }> {
    const before = this.server.packets.length;
    this.server.stream.sendPacket(dialRequest({ protocol: "tcp", address: "destination:80" }, random));
    await this.settle();
    const socket = new FakeSocket();
    const dial = this.dials.at(-1);
    assert.ok(dial !== undefined, "no dial");
    dial.end({ ok: true, stream: socket });
    await this.settle();
    const answer = this.server.packets.slice(before).find(({ payload }) => payload.case === "dialResponse");
    assert.ok(answer?.payload.case === "dialResponse", "no answer to the dial");
    return { id: Number(answer.payload.value.connectID), socket };
  }
}
