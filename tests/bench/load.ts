/**
 * The benchmarks' load generator, a process of its own: does one job (JSON, its only argument) and prints its figures as one
 * line of JSON. What fails ends it with 1 and the reason on standard error.
 */
import type { BenchDestinations } from "./bench_destinations.ts";
import { churn } from "./churn.ts";
import { dialThrough, type Frontend, type LoadConnection, received } from "./load_connection.ts";
import { order } from "./order.ts";
import { neighbour, percentile } from "./neighbour.ts";
import { cpuSeconds, rssBytes } from "./process_figures.ts";
import { type ScrapedPage, scrapes } from "./scrape.ts";

/** Printed by a job that runs beside something else, once it has what it needs. It ends with its standard input. */
export const readyLine = "ready";

/** What is measured, and with which sizes. */
export type Job =
  | {
    readonly kind: "move";
    readonly direction: "download" | "upload";
    readonly connections: number;
    readonly bytes: number;
    /** Bytes of one write of the sender, of a DATA packet in gRPC; uploads only. */
    readonly writeBytes?: number;
  }
  | { readonly kind: "ping"; readonly count: number; readonly bytes?: number }
  | { readonly kind: "ping under load"; readonly count: number; readonly downloads: number }
  | { readonly kind: "stalled neighbour"; readonly count: number }
  | { readonly kind: "dial"; readonly lanes: number; readonly count: number }
  | { readonly kind: "idle"; readonly count: number }
  | { readonly kind: "tunnels"; readonly steps: readonly number[]; readonly bytes: number; readonly pings: number }
  | { readonly kind: "churn"; readonly minutes: number; readonly minuteMs: number }
  /** What a neighbour sees while something else happens: says when it is {@link readyLine ready}. */
  | { readonly kind: "neighbour" }
  | { readonly kind: "scrape"; readonly page: ScrapedPage; readonly healthPort: number; readonly count: number };

/** What a job runs against. */
export interface Assignment {
  readonly frontend: Frontend;
  readonly destinations: BenchDestinations;
  readonly serverPid: number;
  readonly agentPids: readonly number[];
  readonly job: Job;
}

/** One number that a job came to. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** The `tunnels` job gives each figure once for each step. */
  readonly at?: number;
}

const pingBytes = 100;
/** What io.Copy of the original's clients writes at a time. */
const usualWriteBytes = 32 * 1024;
/** How many dials are in flight at once while many tunnels are being opened. */
const openingLanes = 8;
/** Time for a program to give back what many dials took for a moment. */
const settleMs = 1000;

const megabyte = 1e6;
const mebibyte = 1024 * 1024;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class Load {
  readonly #assignment: Assignment;

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
  }

  run(): Promise<Figure[]> {
    const { job } = this.#assignment;
    switch (job.kind) {
      case "move":
        return this.#move(job.direction, job.connections, job.bytes, job.writeBytes ?? usualWriteBytes);
      case "ping":
        return this.#ping(job.count, job.bytes ?? pingBytes);
      case "ping under load":
        return this.#pingUnderLoad(job.count, job.downloads);
      case "stalled neighbour":
        return this.#stalledNeighbour(job.count);
      case "dial":
        return this.#dials(job.lanes, job.count);
      case "idle":
        return this.#idle(job.count);
      case "tunnels":
        return this.#tunnels(job.steps, job.bytes, job.pings);
      case "neighbour":
        return neighbour((kind) => this.#dial(kind));
      case "scrape":
        return scrapes(job.page, job.healthPort, job.count);
      case "churn":
        return churn({ dial: (kind) => this.#dial(kind), rss: () => this.#rss() }, job.minutes, job.minuteMs);
    }
  }

  #dial(kind: keyof BenchDestinations): Promise<LoadConnection> {
    return dialThrough(this.#assignment.frontend, this.#assignment.destinations[kind]);
  }

  /** CPU seconds of the server and of all agents. */
  #cpu(): { server: number; agent: number } {
    const { serverPid, agentPids } = this.#assignment;
    return { server: cpuSeconds(serverPid), agent: agentPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) };
  }

  #rss(): { server: number; agent: number } {
    const { serverPid, agentPids } = this.#assignment;
    return { server: rssBytes(serverPid), agent: agentPids.reduce((sum, pid) => sum + rssBytes(pid), 0) };
  }

  async #move(
    direction: "download" | "upload",
    connections: number,
    totalBytes: number,
    writeBytes: number,
  ): Promise<Figure[]> {
    const share = Math.floor(totalBytes / connections);
    const down = direction === "download";
    const all = await Promise.all(Array.from({ length: connections }, () => this.#dial(down ? "source" : "sink")));
    const [before, start] = [this.#cpu(), performance.now()];
    const payload = new Uint8Array(writeBytes);
    await Promise.all(all.map(async (connection) => {
      const done = received(connection, down ? share : 1);
      await connection.write(order(share));
      for (let sent = 0; !down && sent < share; sent += writeBytes) {
        await connection.write(share - sent < writeBytes ? payload.subarray(0, share - sent) : payload);
      }
      await done;
    }));
    const seconds = (performance.now() - start) / 1000;
    const after = this.#cpu();
    const gigabytes = totalBytes / 1e9;
    await Promise.all(all.map((connection) => connection.close()));
    return [
      { name: "throughput", unit: "MB/s", value: totalBytes / megabyte / seconds },
      { name: "server CPU", unit: "s/GB", value: (after.server - before.server) / gigabytes },
      { name: "agent CPU", unit: "s/GB", value: (after.agent - before.agent) / gigabytes },
    ];
  }

  /** Round trips on one connection, in milliseconds, the shortest first. */
  async #roundTrips(count: number, bytes: number, connection?: LoadConnection): Promise<number[]> {
    const used = connection ?? await this.#dial("echo");
    const payload = new Uint8Array(bytes);
    const times: number[] = [];
    for (let at = 0; at < count; at++) {
      const start = performance.now();
      const answer = received(used, bytes);
      void used.write(payload);
      await answer;
      times.push(performance.now() - start);
    }
    if (connection === undefined) await used.close();
    return times.sort((a, b) => a - b);
  }

  async #ping(count: number, bytes: number): Promise<Figure[]> {
    await this.#roundTrips(Math.ceil(count / 10), bytes);
    const times = await this.#roundTrips(count, bytes);
    return [
      { name: "p50", unit: "us", value: percentile(times, 0.5) * 1000 },
      { name: "p99", unit: "us", value: percentile(times, 0.99) * 1000 },
    ];
  }

  async #pingUnderLoad(count: number, downloads: number): Promise<Figure[]> {
    const all = await Promise.all(Array.from({ length: downloads }, () => this.#dial("source")));
    let moved = 0;
    for (const connection of all) {
      connection.onData = (bytes) => moved += bytes.length;
      await connection.write(order(1e12));
    }
    await pause(300);
    const [before, start] = [moved, performance.now()];
    const times = await this.#roundTrips(count, pingBytes);
    const rate = (moved - before) / megabyte / ((performance.now() - start) / 1000);
    return [
      { name: "p50", unit: "us", value: percentile(times, 0.5) * 1000 },
      { name: "p99", unit: "us", value: percentile(times, 0.99) * 1000 },
      { name: "background", unit: "MB/s", value: rate },
    ];
  }

  async #stalledNeighbour(count: number): Promise<Figure[]> {
    const stalled = await this.#dial("source");
    stalled.stall();
    await stalled.write(order(1e9));
    await pause(1500);
    const times = await this.#roundTrips(count, pingBytes);
    const { server, agent } = this.#rss();
    return [
      { name: "p50", unit: "us", value: percentile(times, 0.5) * 1000 },
      { name: "p99", unit: "us", value: percentile(times, 0.99) * 1000 },
      { name: "server RSS", unit: "MiB", value: server / mebibyte },
      { name: "agent RSS", unit: "MiB", value: agent / mebibyte },
    ];
  }

  /** Each dial has a round trip, then ends. */
  async #dials(lanes: number, count: number): Promise<Figure[]> {
    const times: number[] = [];
    const before = this.#cpu();
    const start = performance.now();
    let begun = 0;
    await Promise.all(Array.from({ length: lanes }, async () => {
      while (begun++ < count) {
        const from = performance.now();
        const connection = await this.#dial("echo");
        await this.#roundTrips(1, pingBytes, connection);
        await connection.close();
        times.push(performance.now() - from);
      }
    }));
    const seconds = (performance.now() - start) / 1000;
    const after = this.#cpu();
    times.sort((a, b) => a - b);
    return [
      { name: "rate", unit: "per s", value: count / seconds },
      { name: "p50", unit: "ms", value: percentile(times, 0.5) },
      { name: "p99", unit: "ms", value: percentile(times, 0.99) },
      { name: "server CPU", unit: "ms each", value: (after.server - before.server) * 1000 / count },
      { name: "agent CPU", unit: "ms each", value: (after.agent - before.agent) * 1000 / count },
    ];
  }

  /** Dials until there are as many tunnels. */
  async #open(tunnels: LoadConnection[], count: number): Promise<void> {
    const lanes = Math.min(openingLanes, count - tunnels.length);
    let begun = tunnels.length;
    await Promise.all(Array.from({ length: lanes }, async () => {
      while (begun++ < count) tunnels.push(await this.#dial("source"));
    }));
  }

  async #idle(count: number): Promise<Figure[]> {
    const before = this.#rss();
    const tunnels: LoadConnection[] = [];
    await this.#open(tunnels, count);
    await pause(settleMs);
    const after = this.#rss();
    return [
      { name: "server, each", unit: "KiB", value: (after.server - before.server) / 1024 / count },
      { name: "agent, each", unit: "KiB", value: (after.agent - before.agent) / 1024 / count },
    ];
  }

  /** At each number of open tunnels: memory and round trips while they are idle, then a download of `bytes` through all. */
  async #tunnels(steps: readonly number[], bytes: number, pings: number): Promise<Figure[]> {
    const figures: Figure[] = [];
    const tunnels: LoadConnection[] = [];
    for (const at of steps) {
      await this.#open(tunnels, at);
      await pause(settleMs);
      const { server, agent } = this.#rss();
      const times = await this.#roundTrips(pings, pingBytes);
      figures.push(
        { name: "server RSS", unit: "MiB", value: server / mebibyte, at },
        { name: "agent RSS", unit: "MiB", value: agent / mebibyte, at },
        { name: "ping p50", unit: "us", value: percentile(times, 0.5) * 1000, at },
        { name: "ping p99", unit: "us", value: percentile(times, 0.99) * 1000, at },
      );
      if (bytes === 0) continue;
      const share = Math.floor(bytes / at);
      const start = performance.now();
      await Promise.all(tunnels.map(async (tunnel) => {
        const done = received(tunnel, share);
        await tunnel.write(order(share));
        await done;
      }));
      const seconds = (performance.now() - start) / 1000;
      figures.push({ name: "throughput", unit: "MB/s", value: share * at / megabyte / seconds, at });
    }
    return figures;
  }
}

if (import.meta.main) {
  const assignment: Assignment = JSON.parse(Deno.args[0] ?? "");
  try {
    const figures = await new Load(assignment).run();
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(figures)}\n`));
    Deno.exit(0);
  } catch (error) {
    await Deno.stderr.write(new TextEncoder().encode(`${error instanceof Error ? error.message : error}\n`));
    Deno.exit(1);
  }
}
