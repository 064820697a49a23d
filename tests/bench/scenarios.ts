import type { Job } from "./load.ts";

/** How much work the measurements are. */
export interface BenchSizes {
  readonly bytes: number;
  readonly pings: number;
  readonly loadedPings: number;
  readonly dials: number;
  readonly idle: number;
  /** Milliseconds that a job may take. */
  readonly limitMs: number;
  /** Milliseconds of a minute of churn. */
  readonly churnMinuteMs: number;
  /** Many agents on one server. */
  readonly fleet: {
    readonly agents: readonly number[];
    /** Milliseconds until the first pings of all links are over, and in which idle agents are watched then. */
    readonly settleMs: number;
    readonly idleMs: number;
    /** Scrapes of each page. */
    readonly scrapes: number;
  };
  readonly curves: {
    readonly tunnels: readonly number[];
    readonly writeBytes: readonly number[];
    readonly agents: readonly number[];
    /** Milliseconds between agent and server, one way. */
    readonly distances: readonly number[];
    /** What is moved at each distance: enough for windows to grow. */
    readonly distantBytes: number;
    readonly bytes: number;
    readonly pings: number;
    readonly dials: number;
  };
}

/** A neighbour that has waited this long is blocked. */
const stalledLimitMs = 30_000;

const kibibyte = 1024;
const mebibyte = 1024 * 1024;

/** What `deno task bench` measures. */
export const fullSizes: BenchSizes = {
  bytes: 256 * mebibyte,
  pings: 3000,
  loadedPings: 300,
  dials: 3000,
  idle: 1000,
  limitMs: 180_000,
  churnMinuteMs: 60_000,
  fleet: { agents: [1, 100, 1000], settleMs: 15_000, idleMs: 20_000, scrapes: 9 },
  curves: {
    tunnels: [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000],
    writeBytes: [64, 256, kibibyte, 4 * kibibyte, 16 * kibibyte, 64 * kibibyte, 256 * kibibyte],
    agents: [1, 2, 4, 8],
    distances: [0, 5, 25, 50, 100],
    distantBytes: 512 * mebibyte,
    bytes: 64 * mebibyte,
    pings: 500,
    dials: 1000,
  },
};

/** Enough to see that everything works, and nothing else. */
export const quickSizes: BenchSizes = {
  bytes: mebibyte,
  pings: 20,
  loadedPings: 5,
  dials: 20,
  idle: 10,
  limitMs: 60_000,
  churnMinuteMs: 300,
  fleet: { agents: [1, 5], settleMs: 100, idleMs: 300, scrapes: 2 },
  curves: {
    tunnels: [1, 5],
    writeBytes: [kibibyte, 16 * kibibyte],
    agents: [1, 2],
    distances: [0, 5],
    distantBytes: mebibyte,
    bytes: mebibyte,
    pings: 10,
    dials: 20,
  },
};

/** Something that is measured in one mode. */
export interface Scenario {
  readonly name: string;
  readonly job: Job;
  /** Milliseconds after which it counts as failed; absent: the limit of all. */
  readonly limitMs?: number;
  /** It needs processes that have done nothing before. */
  readonly fresh?: boolean;
}

/** What is measured, in this order. */
export function scenarios({ bytes, pings, loadedPings, dials, idle }: BenchSizes): readonly Scenario[] {
  const move = (direction: "download" | "upload", connections: number): Scenario => ({
    name: `${direction} x${connections}`,
    job: { kind: "move", direction, connections, bytes },
  });
  return [
    move("download", 1),
    move("download", 16),
    move("upload", 1),
    move("upload", 16),
    { name: "ping 100 B", job: { kind: "ping", count: pings } },
    { name: "ping under 8 downloads", job: { kind: "ping under load", count: loadedPings, downloads: 8 } },
    {
      name: "ping beside a stalled download",
      job: { kind: "stalled neighbour", count: loadedPings },
      limitMs: stalledLimitMs,
    },
    { name: "dial x1", job: { kind: "dial", lanes: 1, count: Math.ceil(dials / 3) } },
    { name: "dial x32", job: { kind: "dial", lanes: 32, count: dials } },
    { name: "idle tunnel", job: { kind: "idle", count: idle }, fresh: true },
  ];
}
