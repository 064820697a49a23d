import { helloFrame, linkFrame, linkFrameKinds, statusFrame } from "../../src/wire/link_frame.ts";
import { joined } from "./http2_scripts.ts";
import { mutate } from "./mutate.ts";
import { packetMessage, tunnelMessages } from "./packet_messages.ts";
import type { Random } from "./random.ts";
import { type Script, type Step, steps } from "./script.ts";

/** A direct link, from an agent or from a server: a hello, packets, pings, a status; valid first, then mutated. */
export function directScript(
  random: Random,
  metadata: Readonly<Record<string, string>>,
  addresses: readonly string[],
): Script {
  const messages: Uint8Array[] = [helloFrame(metadata)];
  for (let count = random.below(20); count > 0; count--) messages.push(...frames(random, addresses));
  if (random.chance(0.4)) {
    messages.push(
      statusFrame({ code: random.chance(0.5) ? 0 : random.below(120), message: "x".repeat(random.below(50)) }),
    );
  }
  const sent = mutate(random, messages, random.pick([0, 0, 0.02, 0.1, 0.4]));
  if (random.chance(0.15)) sent.unshift(...frames(random, addresses));
  const script: Step[] = steps(random, sent);
  // The links of a server's fuzzed agents must not all stay: a dial is given to one of those that live.
  return script;
}

/** Many of one cheap frame. */
export function directFloodScript(random: Random, metadata: Readonly<Record<string, string>>): Script {
  const one = random.pick<() => Uint8Array>([
    () => linkFrame(linkFrameKinds.ping, random.bytes(8)),
    () => linkFrame(linkFrameKinds.pong, random.bytes(8)),
    () => packetMessage(random, ["127.0.0.1:1"]),
    () => statusFrame({ code: 1, message: "" }),
    () => linkFrame(77, random.bytes(random.below(100))),
    () => linkFrame(linkFrameKinds.packet, new Uint8Array()),
  ]);
  const flood = Array.from({ length: 50 + random.below(3000) }, one);
  const hello = random.chance(0.7) ? [helloFrame(metadata)] : [];
  return steps(random, [...hello, joined(...flood)]);
}

function frames(random: Random, addresses: readonly string[]): Uint8Array[] {
  return random.pick<() => Uint8Array[]>([
    () => [packetMessage(random, addresses)],
    () => [packetMessage(random, addresses)],
    () => tunnelMessages(random, addresses),
    () => [linkFrame(linkFrameKinds.ping, random.bytes(random.chance(0.8) ? 8 : random.below(100)))],
    () => [linkFrame(linkFrameKinds.pong, random.bytes(8))],
    () => [linkFrame(random.below(256), random.bytes(random.length(12)))],
    () => [linkFrame(linkFrameKinds.hello, random.bytes(random.below(40)))],
    () => [linkFrame(linkFrameKinds.status, random.bytes(random.below(40)))],
  ])();
}
