import type { DialResult } from "../../../../src/agent/dialler.ts";
import { linkFrame } from "../../../../src/wire/link_frame.ts";
import type { PacketStream } from "../../../../src/streams/packet_stream.ts";
import { PacketError } from "../../../../src/wire/packet_error.ts";
import { PacketReader } from "../../../../src/wire/packet_reader.ts";
import {
  closeRequest,
  closeWrite,
  dialed,
  dialRequest,
  framePacket,
  windowCredit,
} from "../../../../src/wire/packet.ts";
import { FakeSocket, LinkWorld } from "../../../support/memory/link_world.ts";
import { type Peer, ServerWorld } from "../../../support/memory/server_world.ts";
import { mutate } from "../../mutate.ts";
import { packetMessage } from "../../packet_messages.ts";
import type { Random } from "../../random.ts";
import type { FuzzTarget } from "../target.ts";
import { joined } from "./chunks.ts";
import { cut } from "./packets.ts";
import { attempt, holds } from "./texts.ts";

const addresses = ["10.0.0.1:443", "web.default.svc:80"];

/** What the world does between packets: a frame whose first byte is no zero. */
type Step = (kind: number, body: Uint8Array) => void;

/** Has a peer send the packets of an input, and the world take the steps between them. */
export function play(input: Uint8Array, stream: () => PacketStream, step: Step): void {
  const reader = new PacketReader(
    {
      onData: (id, payload) => void stream().sendData(id, payload),
      onPacket: (packet) => void stream().sendPacket(packet),
    },
    undefined,
    step,
  );
  attempt(() => reader.push(input), PacketError);
}

function step(random: Random): Uint8Array {
  return linkFrame(1 + random.below(12), Uint8Array.of(random.below(4), random.below(256)));
}

function restructure(random: Random, input: Uint8Array): Uint8Array {
  const more = Array.from({ length: 1 + random.below(4) }, () => {
    if (random.chance(0.4)) return step(random);
    return packetMessage(random, addresses).subarray(0, 600);
  });
  return joined(mutate(random, [...cut(input), ...more], 0.15)).slice(0, 1500);
}

/** A destination that is not written to behind its end. */
class StrictSocket extends FakeSocket {
  override write(bytes: Uint8Array): boolean {
    holds(!this.ended, () => `${bytes.length} bytes are written behind the end`);
    return super.write(bytes);
  }
}

/** A step of an agent's world. @param ended dials that have their result */
function agentStep(
  world: LinkWorld,
  sockets: FakeSocket[],
  ended: Set<unknown>,
  kind: number,
  [which = 0, how = 0]: Uint8Array,
): void {
  const socket = sockets[which % Math.max(1, sockets.length)];
  switch (kind % 12) {
    case 1:
    case 2: {
      const dial = world.dials[world.dials.length - 1 - which % Math.max(1, world.dials.length)];
      if (dial === undefined || ended.has(dial)) return;
      ended.add(dial);
      const opened = new StrictSocket();
      const failed: DialResult = { ok: false, failure: { reason: "unknown", message: "connection refused" } };
      if (kind % 12 === 1) sockets.push(opened);
      return dial.end(kind % 12 === 1 ? { ok: true, stream: opened } : failed);
    }
    case 3:
      return socket?.destroyed === false ? socket.says("x".repeat(how)) : undefined;
    case 4:
      return socket?.destroyed === false ? socket.ends() : undefined;
    case 5:
      return socket?.destroyed === false ? socket.closes(how % 2 === 0 ? undefined : new Error("reset")) : undefined;
    case 6:
      if (socket !== undefined) socket.stuck = true;
      return;
    case 7:
      return socket?.destroyed === false ? socket.takes() : undefined;
    case 8:
      return world.clock.advance(how * 200);
    case 9:
      return how % 8 === 0 ? world.link.drain() : undefined;
    case 10:
      return how % 8 === 0 ? world.server.stream.end() : undefined;
    default:
      return void world.near.deliverOne();
  }
}

const tunnel = joined([
  framePacket(dialRequest({ protocol: "tcp", address: "10.0.0.1:443" }, 7n)),
  linkFrame(1, Uint8Array.of(0, 0)),
]);

/** An agent's link, with what servers send, destinations that say and take and end, and time that passes. */
export const agentLinks: FuzzTarget = {
  name: "agent-links",
  modules: ["src/agent/", "src/mux/", "src/streams/"],
  seeds: [
    joined([
      tunnel,
      linkFrame(3, Uint8Array.of(0, 50)),
      framePacket(closeRequest(1)),
      linkFrame(5, Uint8Array.of(0, 0)),
    ]),
    joined([
      tunnel,
      framePacket(windowCredit(1, 1000)),
      linkFrame(3, Uint8Array.of(0, 99)),
      framePacket(closeWrite(1)),
    ]),
    joined([framePacket(dialRequest({ protocol: "udp", address: "x" }, 1n)), linkFrame(2, Uint8Array.of(0, 0))]),
    joined([
      tunnel,
      linkFrame(6, Uint8Array.of(0, 0)),
      linkFrame(8, Uint8Array.of(0, 255)),
      linkFrame(9, Uint8Array.of(0, 0)),
    ]),
  ],
  restructure,
  maxWork: (bytes) => 200_000 + 6000 * bytes,
  async run(input) {
    const world = new LinkWorld(input.length % 2 === 0 ? [] : ["window", "half-close", "ping", "resolved-address"]);
    const sockets: FakeSocket[] = [];
    const ended = new Set<unknown>();
    const steps: (readonly [number, Uint8Array])[] = [];
    // A step comes behind the packets before it, and what follows from it before those behind it.
    for (const message of cut(input)) {
      play(message, () => world.server.stream, (kind, body) => void steps.push([kind, body]));
      await settleOnce(world);
      for (const [kind, body] of steps.splice(0)) agentStep(world, sockets, ended, kind, body);
    }
    await settleOnce(world);
    world.near.lose();
    world.clock.advance(3_600_000);
    await settleOnce(world);
    // A dial that ends when nobody waits for it any more.
    for (const dial of world.dials) {
      if (ended.has(dial)) continue;
      const late = new FakeSocket();
      sockets.push(late);
      dial.end({ ok: true, stream: late });
    }
    await settleOnce(world);
    world.clock.advance(3_600_000);
    for (const socket of sockets) socket.takes();
    world.clock.advance(3_600_000);
    holds(world.link.tunnelCount === 0, () => `${world.link.tunnelCount} tunnels are left`);
    holds(world.link.pendingDials === 0, () => `${world.link.pendingDials} dials are left`);
    holds(world.clock.pending === 0, () => `${world.clock.pending} deadlines are left`);
    const open = sockets.filter(({ destroyed, ended }) => !destroyed && !ended).length;
    holds(open === 0, () => `${open} sockets are open`);
  },
};

async function settleOnce(world: LinkWorld): Promise<void> {
  for (let at = 0; at < 200 && (world.near.deliverOne() || world.server.stream.deliverOne()); at++);
  // Promises alone: a turn of the event loop would take most of the time.
  for (let at = 0; at < 4; at++) await undefined;
}

/** A step of a server's world: the first byte of a body says who speaks from now on. */
function serverStep(
  world: ServerWorld,
  agent: Peer,
  client: Peer,
  kind: number,
  [which = 0, how = 0]: Uint8Array,
): void {
  switch (kind % 12) {
    case 1:
    case 2:
      agent.stream.sendPacket(dialed(lastRandom(agent), 1 + which));
      break;
    case 3:
      return void (agent.stream.closed === undefined && how % 4 === 0 ? agent.stream.lose() : undefined);
    case 4:
      client.stream.end();
      break;
    case 5:
      return void (client.stream.closed === undefined && how % 4 === 0 ? client.stream.lose() : undefined);
    case 6:
      agent.stream.pause();
      break;
    case 7:
      agent.stream.resume();
      break;
    case 8:
      world.clock.advance(how * 200);
      break;
    case 9:
      if (how % 8 === 0) world.server.drain();
      break;
    case 10:
      agent.stream.end();
  }
}

function lastRandom(agent: Peer): bigint {
  const dials = agent.packets.flatMap(({ payload }) => payload.case === "dialRequest" ? [payload.value.random] : []);
  return dials.at(-1) ?? 0n;
}

const clientDial = framePacket(dialRequest({ protocol: "tcp", address: "10.0.0.1:443" }, 7n));
/** Bodies of this kind are what the agent sends; the client sends the rest. */
const byAgent = 200;

/** A server with an agent and a client that send what they like. */
export const servers: FuzzTarget = {
  name: "servers",
  modules: ["src/server/", "src/mux/", "src/streams/"],
  seeds: [
    joined([clientDial, linkFrame(1, Uint8Array.of(0, 0)), linkFrame(byAgent, framePacket(closeRequest(1)))]),
    joined([
      clientDial,
      linkFrame(1, Uint8Array.of(0, 0)),
      framePacket(closeRequest(1)),
      linkFrame(3, Uint8Array.of(0, 0)),
    ]),
    joined([clientDial, linkFrame(8, Uint8Array.of(0, 255)), linkFrame(4, Uint8Array.of(0, 0))]),
    joined([clientDial, linkFrame(9, Uint8Array.of(0, 0)), linkFrame(byAgent, framePacket(dialed(7n, 3)))]),
  ],
  restructure: (random, input) => {
    if (random.chance(0.6)) return restructure(random, input);
    const message = linkFrame(byAgent, packetMessage(random, addresses).subarray(0, 600));
    return joined([...cut(input), message]).slice(0, 1500);
  },
  maxWork: (bytes) => 400_000 + 6000 * bytes,
  async run(input) {
    const world = new ServerWorld({ dialTimeoutMs: 5_000 });
    const features = input.length % 2 === 0 ? "" : "window,half-close,resolved-address,early-data";
    const agent = await world.agent({ "konnectivity-features": features });
    const client = world.client({ "konnectivity-features": features });
    for (const message of cut(input)) {
      play(message, () => client.stream, (kind, body) => {
        if (kind !== byAgent) return serverStep(world, agent, client, kind, body);
        play(body, () => agent.stream, () => {});
      });
      world.settle();
    }
    for (const { stream } of [agent, client]) if (stream.closed === undefined) stream.lose();
    world.settle();
    world.clock.advance(3_600_000);
    const { server } = world;
    holds(server.establishedTunnels === 0, () => `${server.establishedTunnels} tunnels are left`);
    holds(server.pendingDials === 0, () => `${server.pendingDials} dials are left`);
    holds(server.pool.size === 0, () => `${server.pool.size} agents are left`);
    holds(server.proxyCalls === 0 && server.connectCalls === 0, () => `${server.proxyCalls} calls are left`);
    holds(world.clock.pending === 0, () => `${world.clock.pending} deadlines are left`);
  },
};
