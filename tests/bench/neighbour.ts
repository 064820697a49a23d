import type { Figure } from "./load.ts";
import { type LoadConnection, received } from "./load_connection.ts";

const payloadBytes = 100;
/** Blanks between two round trips: who measures all the time takes the processor from what is measured. */
const pauseMs = 5;

/** A value that a part of the sorted ones do not exceed; 0 of none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A round trip through a tunnel, in milliseconds. */
async function roundTrip(connection: LoadConnection): Promise<number> {
  const since = performance.now();
  const answer = received(connection, payloadBytes);
  await connection.write(new Uint8Array(payloadBytes));
  await answer;
  return performance.now() - since;
}

/**
 * What a neighbour sees: round trips through one tunnel, and beside them dials one after the other, until standard input
 * ends. Prints that it is ready once its tunnel is open.
 */
export async function neighbour(dial: (kind: "echo") => Promise<LoadConnection>): Promise<Figure[]> {
  const tunnel = await dial("echo");
  await roundTrip(tunnel);
  let over = false;
  const ended = (async () => {
    for await (const _ of Deno.stdin.readable);
    over = true;
  })();
  const pings: number[] = [];
  const dials: number[] = [];
  const since = performance.now();
  const ping = async () => {
    while (!over) {
      pings.push(await roundTrip(tunnel));
      await pause(pauseMs);
    }
  };
  const dialOn = async () => {
    while (!over) {
      const from = performance.now();
      const connection = await dial("echo");
      await roundTrip(connection);
      await connection.close();
      dials.push(performance.now() - from);
      await pause(pauseMs);
    }
  };
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
  await Promise.all([ping(), dialOn(), ended]);
  const seconds = (performance.now() - since) / 1000;
  await tunnel.close();
  pings.sort((a, b) => a - b);
  dials.sort((a, b) => a - b);
  return [
    { name: "ping p50", unit: "ms", value: percentile(pings, 0.5) },
    { name: "ping p99", unit: "ms", value: percentile(pings, 0.99) },
    { name: "ping max", unit: "ms", value: pings.at(-1) ?? 0 },
    { name: "dial rate", unit: "per s", value: dials.length / seconds },
    { name: "dial p99", unit: "ms", value: percentile(dials, 0.99) },
  ];
}
