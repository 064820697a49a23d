import { DirectStream } from "../../../../src/net/direct/direct_stream.ts";
import { helloFrame, linkFrame, linkFrameKinds, statusFrame } from "../../../../src/wire/link_frame.ts";
import { VirtualClock } from "../../../support/fakes/virtual_clock.ts";
import { mutate } from "../../mutate.ts";
import { packetMessage } from "../../packet_messages.ts";
import { Random } from "../../random.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf, joined } from "./chunks.ts";
import { MemorySocket, streamTurns } from "./memory_socket.ts";
import { cut } from "./packets.ts";
import { holds } from "./texts.ts";

const addresses = ["10.0.0.1:443", "web.default.svc:80"];
const hello = helloFrame({ agentid: "agent-1", "konnectivity-features": "window,half-close" });
const ping = linkFrame(linkFrameKinds.ping, new Uint8Array(8));

/** Plays a peer, and says what came of it, without how its bytes were cut. */
async function outcome(chunks: readonly Uint8Array[]): Promise<string> {
  const socket = new MemorySocket();
  const stream = new DirectStream(socket.asSocket, undefined, new VirtualClock());
  const events: string[] = [];
  let data = "";
  let ends = 0;
  let closes = 0;
  const handler = {
    onData: (id: number | bigint, payload: Uint8Array) => {
      data += `${id}:${payload.toHex()} `;
    },
    onPacket: (packet: { readonly type: number }) => void events.push(`packet ${packet.type}`),
    onDrain: () => {},
    onEnd: () => ends++,
    onClose: (end: { readonly kind: string }) => {
      events.push(end.kind);
      closes++;
    },
  };
  stream.hello.then(() => {
    stream.sendHello({ serverid: "one" });
    stream.start(handler);
  }, () => {});
  for (const chunk of chunks) socket.receive(chunk);
  socket.receiveEnd();
  await streamTurns(3);
  stream.end();
  await streamTurns(2);
  socket.destroy();
  await streamTurns(1);
  holds(closes <= 1 && ends <= 1, () => `${ends} ends and ${closes} closes were reported`);
  return `${events.join()} ${stream.answered} ${data.replaceAll(/\d+:/g, "").replaceAll(" ", "")}`;
}

const random = new Random(3);
const messages = Array.from({ length: 12 }, () => packetMessage(random, addresses)).filter(({ length }) =>
  length < 300
);

/** A peer's bytes on a direct link. */
export const directLinks: FuzzTarget = {
  name: "direct-links",
  modules: ["src/net/direct/", "src/wire/link_frame.ts", "src/wire/packet_reader.ts"],
  seeds: [
    joined([hello, ...messages, ping, statusFrame({ code: 0, message: "" })]),
    joined([hello, ping, ping, messages[0] ?? hello]),
    joined([statusFrame({ code: 14, message: "no" })]),
    joined([hello, linkFrame(9, new Uint8Array(3)), linkFrame(linkFrameKinds.pong, new Uint8Array(8))]),
    joined([hello, statusFrame({ code: 14, message: "going away" })]),
  ],
  restructure: (random, input) =>
    joined(mutate(random, [...cut(input), random.pick([ping, hello, packetMessage(random, addresses)])], 0.3)).slice(
      0,
      2048,
    ),
  maxWork: (bytes) => 100_000 + 4000 * bytes,
  async run(input) {
    const whole = await outcome([input]);
    const cut = await outcome(chunksOf(input));
    // What came before a fault is handed on only where the fault comes after the link was started.
    const broken = whole.includes("failed") && cut.includes("failed");
    holds(broken || whole === cut, () => `a link does not depend on its chunks\nin one piece ${whole}\ncut ${cut}`);
  },
};
