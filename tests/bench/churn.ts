import type { Figure } from "./load.ts";
import { type LoadConnection, received } from "./load_connection.ts";
import { order } from "./order.ts";
import { generator } from "./random.ts";

/** What connections come and go with. */
export interface ChurnWorld {
  readonly dial: (kind: "echo" | "source" | "sink") => Promise<LoadConnection>;
  /** Resident memory now, in bytes. */
  readonly rss: () => { readonly server: number; readonly agent: number };
}

const lanes = 8;
const mebibyte = 1024 * 1024;
/** Blanks between two connections of a lane, so that there is churn and no flood, in milliseconds. */
const longestPauseMs = 20;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One connection's life: mostly short talks, also transfers both ways, and a few that do not read and leave in the middle. */
export async function one(world: Pick<ChurnWorld, "dial">, random: () => number): Promise<void> {
  const choice = random();
  const bytes = Math.ceil(16 * 1024 * 256 ** random());
  if (choice < 0.6) {
    const connection = await world.dial("echo");
    for (let left = Math.ceil(random() * 20); left > 0; left--) {
      const answer = received(connection, 100);
      await connection.write(new Uint8Array(100));
      await answer;
    }
    return await connection.close();
  }
  if (choice < 0.8) {
    const connection = await world.dial("source");
    const done = received(connection, bytes);
    await connection.write(order(bytes));
    await done;
    return await connection.close();
  }
  if (choice < 0.95) {
    const connection = await world.dial("sink");
    const done = received(connection, 1);
    await connection.write(order(bytes));
    const part = new Uint8Array(32 * 1024);
    for (let sent = 0; sent < bytes; sent += part.length) {
      await connection.write(bytes - sent < part.length ? part.subarray(0, bytes - sent) : part);
    }
    await done;
    return await connection.close();
  }
  const connection = await world.dial("source");
  connection.stall();
  await connection.write(order(1e9));
  await pause(random() * 500);
  await connection.vanish();
}

/**
 * Connections come and go for some minutes.
 * @param minuteMs milliseconds that are counted as a minute: fewer, for a try
 * @returns memory, and connections so far, at the end of each minute
 */
export async function churn(world: ChurnWorld, minutes: number, minuteMs: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const start = performance.now();
  let connections = 0;
  let over = false;
  const lane = async (seed: number) => {
    const random = generator(seed);
    while (!over) {
      await one(world, random);
      connections++;
      await pause(random() * longestPauseMs);
    }
  };
  const watch = async () => {
    for (let at = 1; at <= minutes; at++) {
      await pause(Math.max(0, start + at * minuteMs - performance.now()));
      const { server, agent } = world.rss();
      figures.push(
        { name: "server RSS", unit: "MiB", value: server / mebibyte, at },
        { name: "agent RSS", unit: "MiB", value: agent / mebibyte, at },
        { name: "connections so far", unit: "connections", value: connections, at },
      );
    }
  };
  // A failure of one lane is the job's.
  await Promise.all([
    watch().finally(() => over = true),
    ...Array.from({ length: lanes }, (_, seed) => lane(seed + 1)),
  ]);
  return figures;
}
