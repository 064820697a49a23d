import type { Socket } from "node:net";
import type { Random } from "./random.ts";

/** One thing that a fuzzed connection does. */
export type Step =
  | { readonly do: "send"; readonly bytes: Uint8Array }
  /** Waits until the peer has sent something since the last step, or for the time in milliseconds. */
  | { readonly do: "answer"; readonly withinMs: number }
  | { readonly do: "pause"; readonly ms: number }
  /** Reads no more for the time in milliseconds. */
  | { readonly do: "deafen"; readonly ms: number }
  | { readonly do: "end" }
  | { readonly do: "reset" };

/** What a connection does from its handshake to its end. */
export type Script = readonly Step[];

/** How long a script may take in all, in milliseconds. */
const scriptLimitMs = 5_000;

/** What became of a script. */
export interface Played {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The peer closed the connection before the script was over. */
  readonly cutOff: boolean;
}

/** Plays a script on a socket that is connected, and destroys the socket at its end. */
export async function play(socket: Socket, script: Script): Promise<Played> {
  let receivedBytes = 0;
  let seen = 0;
  let sentBytes = 0;
  let wake = () => {};
  socket.on("error", () => wake());
  socket.on("close", () => wake());
  socket.on("end", () => wake());
  socket.on("data", (chunk: Uint8Array) => {
    receivedBytes += chunk.length;
    wake();
  });
  const deadline = performance.now() + scriptLimitMs;
  /** Waits for a time, or less where the condition holds earlier. */
  const wait = async (ms: number, condition: () => boolean) => {
    const until = Math.min(deadline, performance.now() + ms);
    while (!condition() && !socket.destroyed) {
      const left = until - performance.now();
      if (left <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  let cutOff = false;
  for (const step of script) {
    if (socket.destroyed || performance.now() > deadline) {
      cutOff = socket.destroyed;
      break;
    }
    switch (step.do) {
      case "send":
        sentBytes += step.bytes.length;
        socket.write(step.bytes);
        // A peer that does not read must not make this process hold more and more.
        if (socket.writableNeedDrain) await wait(200, () => socket.writableLength === 0);
        break;
      case "answer":
        await wait(step.withinMs, () => receivedBytes > seen || socket.readableEnded);
        seen = receivedBytes;
        break;
      case "pause":
        await wait(step.ms, () => false);
        break;
      case "deafen":
        socket.pause();
        await wait(step.ms, () => false);
        socket.resume();
        break;
      case "end":
        socket.end();
        await wait(300, () => socket.readableEnded);
        break;
      case "reset":
        if ("resetAndDestroy" in socket && !("encrypted" in socket)) socket.resetAndDestroy();
        else socket.destroy();
        break;
    }
  }
  await wait(20, () => false);
  socket.destroy();
  return { sentBytes, receivedBytes, cutOff };
}

/** How scripts end: most often by vanishing, sometimes in order. */
export function lastSteps(random: Random): Step[] {
  return random.pick<() => Step[]>([
    () => [],
    () => [{ do: "end" }],
    () => [{ do: "reset" }],
    () => [{ do: "answer", withinMs: 100 }, { do: "end" }],
    () => [{ do: "pause", ms: random.below(200) }],
    () => [{ do: "deafen", ms: random.below(500) }, { do: "reset" }],
  ])();
}

/** Turns messages into steps: joined or cut at random, with waits in between. */
export function steps(random: Random, messages: readonly Uint8Array[]): Step[] {
  const found: Step[] = [];
  for (const message of messages) {
    if (message.length > 1 && random.chance(0.15)) {
      const at = 1 + random.below(message.length - 1);
      found.push({ do: "send", bytes: message.subarray(0, at) }, { do: "pause", ms: random.below(20) });
      found.push({ do: "send", bytes: message.subarray(at) });
    } else found.push({ do: "send", bytes: message });
    if (random.chance(0.2)) found.push({ do: "answer", withinMs: 50 });
    if (random.chance(0.03)) found.push({ do: "deafen", ms: random.below(300) });
  }
  return [...found, ...lastSteps(random)];
}
