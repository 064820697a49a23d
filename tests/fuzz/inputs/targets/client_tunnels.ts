import { PacketTunnel } from "../../../../src/client/packet_tunnel.ts";
import { ProxyError } from "../../../../src/client/proxy_error.ts";
import { linkFrame } from "../../../../src/wire/link_frame.ts";
import { closeResponse, closeWrite, dialed, dialFailed, framePacket } from "../../../../src/wire/packet.ts";
import { packetPair, PacketRecorder } from "../../../support/memory/packet_pair.ts";
import { mutate } from "../../mutate.ts";
import { packetMessage } from "../../packet_messages.ts";
import type { FuzzTarget } from "../target.ts";
import { joined } from "./chunks.ts";
import { cut } from "./packets.ts";
import { play } from "./sessions.ts";
import { holds } from "./texts.ts";

const dialId = 7n;
const data = Uint8Array.fromHex("000000000b0804220708031a03616263");

/** A tunnel of the client library, and what its owner heard of it. */
class Scene {
  readonly pair = packetPair();
  readonly tunnel: PacketTunnel;
  dials = 0;
  closes = 0;
  ends = 0;
  started = false;

  constructor() {
    this.tunnel = new PacketTunnel(this.pair.near, { protocol: "tcp", address: "host:1" }, dialId, {
      onDialed: () => this.dials++,
      onStreamFailed: () => {},
    });
    this.pair.far.start(new PacketRecorder(({ type }) => String(type)));
    this.tunnel.dial();
    this.pair.settle();
  }

  /** What the owner does. */
  step(kind: number, [much = 0]: Uint8Array): void {
    const { tunnel } = this;
    switch (kind % 8) {
      case 1:
        return void tunnel.write(new Uint8Array(much));
      case 2:
        return tunnel.end();
      case 3:
        return tunnel.pause();
      case 4:
        return tunnel.resume();
      case 5:
        return much % 4 === 0 ? tunnel.destroy() : undefined;
      case 6:
        return much % 4 === 0 ? tunnel.giveUp(new ProxyError("cancelled", "given up")) : undefined;
      case 7:
        return tunnel.allowHalfClose();
      default:
        return this.start();
    }
  }

  /** Only who was told that the dial has succeeded has the tunnel. */
  start(): void {
    if (this.started || this.tunnel.state !== "open") return;
    this.started = true;
    this.tunnel.start({
      onData: (bytes) => {
        holds(this.closes === 0 && this.ends === 0, () => `${bytes.length} bytes come behind the end`);
      },
      onDrain: () => {},
      onEnd: () => this.ends++,
      onClose: () => this.closes++,
    });
  }
}

/** A tunnel of the client library, with what a server sends and its owner does. */
export const clientTunnels: FuzzTarget = {
  name: "client-tunnels",
  modules: ["src/client/packet_tunnel.ts"],
  seeds: [
    joined([
      framePacket(dialed(dialId, 3)),
      linkFrame(8, data),
      data,
      framePacket(closeWrite(3)),
      framePacket(closeResponse(3)),
    ]),
    joined([framePacket(dialFailed(dialId, "no"))]),
    joined([
      framePacket(dialed(dialId, 3)),
      data,
      linkFrame(8, data),
      linkFrame(2, data),
      linkFrame(5, Uint8Array.of(0)),
    ]),
    joined([linkFrame(6, Uint8Array.of(0)), framePacket(dialed(dialId, 3))]),
  ],
  restructure: (random, input) => {
    const owner = linkFrame(1 + random.below(8), Uint8Array.of(random.below(256)));
    const more = random.chance(0.5) ? owner : packetMessage(random, ["host:1"]).subarray(0, 400);
    return joined(mutate(random, [...cut(input), more], 0.15)).slice(0, 1200);
  },
  run(input) {
    const scene = new Scene();
    for (const message of cut(input)) {
      play(message, () => scene.pair.far, (kind, body) => scene.step(kind, body));
      scene.pair.settle();
    }
    if (scene.pair.near.closed === undefined) scene.pair.near.lose();
    scene.pair.settle();
    const { dials, closes, ends, started, tunnel } = scene;
    holds(dials === 1, () => `the dial was answered ${dials} times`);
    holds(closes === (started ? 1 : 0) && ends <= 1, () => `${closes} closes and ${ends} ends`);
    holds(tunnel.state === "closed", () => `it is ${tunnel.state} at the end`);
  },
};
