import { flowLimits } from "../mux/flow_limits.ts";
import { http2Settings } from "../net/http2/http2_settings.ts";
import type { GatedKind } from "../runtime/memory/read_meter.ts";
import { collectEveryBytes } from "../runtime/memory/young_buffers.ts";

const mebibyte = 1024 * 1024;

/** What the buffers of one thread may come to. */
export interface MemoryBudget {
  /** What all receive windows may grow by together, in bytes. */
  readonly windowGrowthBytes: number;
  /** After so many bytes that sockets have read the engine frees their buffers. */
  readonly collectEveryBytes: number;
  /** While buffers take more, in bytes, no more is read of destinations and HTTP CONNECT clients, or of links; absent: no bound. */
  readonly mostHeldBytes?: Readonly<Record<GatedKind, number>>;
  /** What a gRPC client may send ahead on each stream, in bytes; absent: the default. */
  readonly streamWindowBytes?: number;
}

/** What a program does with whatever it may have: the budget of a process without a limit. */
const unlimited: MemoryBudget = { windowGrowthBytes: flowLimits.growthBudgetBytes, collectEveryBytes };

/** What a program takes that does nothing, in bytes, and each thread beyond the first. */
const programBytes = 35 * mebibyte;
const threadBytes = 25 * mebibyte;
/** With less beside that, some transfers at once are more than it can hold. */
const leastBufferBytes = 5 * mebibyte;

/** What a program needs under load. @param threads that serve in it */
export function neededBytes(threads = 1): number {
  return programBytes + (threads - 1) * threadBytes + threads * leastBufferBytes;
}

/**
 * Divides what a limit leaves beside the program itself: a quarter for windows to grow by, an eighth for buffers that wait
 * to be freed. The rest is for what each tunnel takes in any case, for the engine's heap and for what the system's allocator
 * keeps.
 * @param limitBytes of the process; undefined: none
 * @param threads that serve in it; each gets its share
 */
export function memoryBudget(limitBytes: number | undefined, threads = 1): MemoryBudget {
  if (limitBytes === undefined) return unlimited;
  const rest = (limitBytes - programBytes - (threads - 1) * threadBytes) / threads;
  const share = (part: number, least: number, most: number) => Math.max(least, Math.min(most, Math.floor(rest * part)));
  return {
    windowGrowthBytes: share(1 / 4, 0, unlimited.windowGrowthBytes),
    collectEveryBytes: share(1 / 8, mebibyte / 2, unlimited.collectEveryBytes),
    mostHeldBytes: { endpoint: share(0.4, 2 * mebibyte, Infinity), link: share(1 / 2, 3 * mebibyte, Infinity) },
    streamWindowBytes: share(1 / 256, 64 * 1024, http2Settings.initialWindowSize),
  };
}
