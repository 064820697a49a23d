import assert from "node:assert/strict";
import type { ConnectError } from "@connectrpc/connect";
import { ProxyServer, type ProxyServerOptions } from "../../../src/server/proxy_server.ts";
import type { CloseInitiator, CloseReason, ServerEvents } from "../../../src/server/server_events.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { dialed, dialRequest, type Packet, packetTypeName } from "../../../src/wire/packet.ts";
import { packetPair, PacketRecorder, type PairEnd } from "./packet_pair.ts";
import { type PeerIdentity, unknownPeer } from "../../../src/wire/peer_identity.ts";
import { VirtualClock } from "../fakes/virtual_clock.ts";

/** A packet in one word or two, as the recorders' logs show it. */
export function shortName(packet: Packet): string {
  const name = packetTypeName(packet.type);
  const { payload } = packet;
  switch (payload.case) {
    case "dialResponse":
      return payload.value.error === "" ? `${name} ${payload.value.connectID}` : `${name} ${payload.value.error}`;
    case "closeRequest":
    case "closeWrite":
    case "window":
      return `${name} ${payload.value.connectID}`;
    case "closeResponse":
      return `${name} ${payload.value.connectID}${payload.value.error === "" ? "" : ` ${payload.value.error}`}`;
    default:
      return name;
  }
}

/** A peer that a test plays: the far end of its stream, and what it was sent. */
export class Peer extends PacketRecorder {
  readonly stream: PairEnd;
  readonly near: PairEnd;
  headers: Readonly<Record<string, string>> = {};
  refusal: ConnectError | undefined;

  constructor(stream: PairEnd, near: PairEnd) {
    super(shortName);
    this.stream = stream;
    this.near = near;
    stream.start(this);
  }

  /** The number of the last dial that this peer was asked for. */
  get lastRandom(): bigint {
    const dials = this.packets.flatMap(({ payload }) => payload.case === "dialRequest" ? [payload.value.random] : []);
    const last = dials.at(-1);
    if (last === undefined) throw new Error(`no dial among ${this.log.join(", ")}`);
    return last;
  }
}

/** What a server reported, counted. */
export class EventCounts implements ServerEvents {
  readonly dialFailures: string[] = [];
  readonly closes: string[] = [];
  readonly failures: string[] = [];
  readonly refused: string[] = [];
  dials = 0;

  dialFailed(reason: string): void {
    this.dialFailures.push(reason);
  }

  agentConnected(): void {}

  agentDisconnected(): void {}

  dialing(): void {}

  dialed(): void {
    this.dials++;
  }

  tunnelClosed(_seconds: number, reason: CloseReason, initiator: CloseInitiator): void {
    this.closes.push(`${reason} by ${initiator}`);
  }

  frontendWritten(): void {}

  streamFailed(segment: string, code: string): void {
    this.failures.push(`${segment} ${code}`);
  }

  peerRefused(role: string, reason: string): void {
    this.refused.push(`${role} for its ${reason}`);
  }
}

/** A proxy-server's core in memory, with agents and clients that the test plays, and a clock that it turns. */
export class ServerWorld {
  readonly clock = new VirtualClock();
  readonly events = new EventCounts();
  readonly server: ProxyServer;
  readonly #pairs: { settle(): void; near: PairEnd; far: PairEnd }[] = [];

  constructor(options: Partial<Omit<ProxyServerOptions, "clock">> = {}) {
    this.server = new ProxyServer({
      serverId: "server-1",
      serverCount: () => 1,
      strategies: ["default"],
      dialTimeoutMs: 0,
      clock: this.clock,
      events: this.events,
      ...options,
    });
  }

  /** Connects an agent; its admission takes a few turns of the event loop. */
  async agent(
    metadata: Readonly<Record<string, string | readonly string[]>> = {},
    identity: PeerIdentity = unknownPeer,
  ): Promise<Peer> {
    const peer = this.#peer();
    const answered = Promise.withResolvers<void>();
    this.server.agents.handle({
      ...callOf(peer, { agentid: "agent-1", ...metadata }, answered.resolve),
      peer: identity,
      signal: new AbortController().signal,
      refuse: (error) => {
        peer.refusal = error;
        answered.resolve();
      },
    });
    await answered.promise;
    return peer;
  }

  /** Opens a client's stream. */
  client(
    metadata: Readonly<Record<string, string | readonly string[]>> = {},
    identity: PeerIdentity = unknownPeer,
  ): Peer {
    const peer = this.#peer();
    const call = callOf(peer, { "konnectivity-features": "early-data", ...metadata }, () => {});
    this.server.proxy.handle({ ...call, peer: identity, refuse: (error) => peer.refusal = error });
    return peer;
  }

  /** Opens a client's stream with a tunnel over the agent, under the agent's connection id. */
  openTunnel(agent: Peer, id: number, features?: string): Peer {
    const client = this.client(features === undefined ? {} : { "konnectivity-features": features });
    client.stream.sendPacket(dialRequest({ protocol: "tcp", address: "localhost:80" }, BigInt(1000 + id)));
    this.settle();
    agent.stream.sendPacket(dialed(agent.lastRandom, id));
    this.settle();
    assert.equal(client.log.at(-1), `DIAL_RSP ${id}`);
    return client;
  }

  /** Delivers everything that can be delivered, in all streams. */
  settle(): void {
    for (let before = -1, pending = 0; before !== pending;) {
      before = pending;
      for (const pair of this.#pairs) pair.settle();
      pending = this.#pairs.reduce((sum, { near, far }) => sum + near.pending + far.pending, 0);
    }
    for (const pair of this.#pairs) pair.settle();
  }

  #peer(): Peer {
    const pair = packetPair();
    this.#pairs.push(pair);
    return new Peer(pair.far, pair.near);
  }
}

function callOf(peer: Peer, metadata: Readonly<Record<string, string | readonly string[]>>, answered: () => void) {
  return {
    metadata: (key: string): readonly string[] => {
      const value = metadata[key];
      return value === undefined ? [] : typeof value === "string" ? [value] : value;
    },
    accept: (headers: Readonly<Record<string, string>>): PacketStream => {
      peer.headers = headers;
      answered();
      return peer.near;
    },
  };
}
