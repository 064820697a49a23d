import { getHeapStatistics } from "node:v8";

/** The engine's collector, asked to give back to the system all that it can. */
export type CollectAll = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/** What the heap of a process is judged by. */
export interface CalmHeapOptions {
  /** Bytes that all sockets have read so far. */
  readonly traffic: () => number;
  /** The engine's collector; by default the one that `--v8-flags=--expose-gc` gives, and without it nothing is done. */
  readonly collect?: CollectAll | undefined;
  /** Bytes that the heap takes from the system, and those of them in use. */
  readonly heap?: () => HeapSize;
  readonly intervalMs?: number;
}

/** Sizes in bytes. */
export interface HeapSize {
  readonly committed: number;
  readonly used: number;
}

const lookIntervalMs = 250;
/** More than this read between two looks, in bytes, is traffic; keepalives stay far below. */
const calmBytes = 16 * 1024;
/** Looks in a row without traffic before the heap is collected. */
const calmLooks = 2;
/** Growth since the last collection that makes one worth its pause. */
const growthBytes = 3 * 1024 * 1024;
/** A larger heap would pause the process for too long: tens of milliseconds are fine while nothing moves, hundreds not. */
const limitBytes = 64 * 1024 * 1024;

/**
 * Gives memory back once traffic has calmed down: after the start, and after many tunnels came or went. The engine keeps
 * what a burst of dials made its heap grow to, three times of what their tunnels need, and gives it back only when it
 * is short of memory. Does not keep the process alive.
 */
export function watchCalmHeap(options: CalmHeapOptions): Disposable {
  const { traffic, heap = heapSize, intervalMs = lookIntervalMs } = options;
  const collect = "collect" in options ? options.collect : Reflect.get(globalThis, "gc") as CollectAll | undefined;
  let read = traffic();
  let calm = 0;
  let committedAfterLast = 0;
  const look = () => {
    const now = traffic();
    calm = now - read > calmBytes ? 0 : calm + 1;
    read = now;
    // Once per calm, since only traffic makes a heap grow that is worth it.
    if (calm !== calmLooks) return;
    const { committed, used } = heap();
    if (used > limitBytes || committed < committedAfterLast + growthBytes) return;
    collect?.({ type: "major", flavor: "last-resort" });
    committedAfterLast = heap().committed;
  };
  const timer = setInterval(look, intervalMs);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function heapSize(): HeapSize {
  const { total_heap_size, used_heap_size } = getHeapStatistics();
  return { committed: total_heap_size, used: used_heap_size };
}
