import { getHeapStatistics } from "node:v8";

/** The engine's collector, asked to give back to the system all that it can. */
export type CollectAll = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/** What the heap of a process is judged by, and collected with. */
export interface CalmHeapOptions {
  /** Bytes that all sockets have read so far. */
  readonly traffic: () => number;
  readonly heap: () => HeapSize;
  readonly collect: CollectAll;
}

/** Sizes in bytes. */
export interface HeapSize {
  /** What the heap has taken from the system. */
  readonly committed: number;
  readonly used: number;
}

/** How often {@link CalmHeap.look} is to be called, in milliseconds. */
const lookIntervalMs = 250;
/** More than this read between two looks, in bytes, is traffic; keepalives and a few dials stay below. */
const calmBytes = 4 * 1024;
/** Looks in a row without traffic before the heap is judged, and looks until it is judged again if the calm lasts. */
const calmLooks = 2;
const nextLooks = 40;
/** Growth since the last collection that makes one worth its pause, in bytes. */
const growthBytes = 3 * 1024 * 1024;
/** A larger heap would pause the process for too long: tens of milliseconds are fine while nothing moves, hundreds not. */
const limitBytes = 64 * 1024 * 1024;

/**
 * Gives memory back once traffic has calmed down: after the start, and after many tunnels came or went. The engine keeps
 * what a burst of dials made its heap grow to, which is several times of what their tunnels need.
 */
export class CalmHeap {
  readonly #options: CalmHeapOptions;
  #read: number;
  #calm = 0;
  #committed = 0;

  constructor(options: CalmHeapOptions) {
    this.#options = options;
    this.#read = options.traffic();
  }

  /** Looks whether traffic has calmed down, and collects where it is worth it. */
  look(): void {
    const { traffic, heap, collect } = this.#options;
    const read = traffic();
    this.#calm = read - this.#read > calmBytes ? 0 : this.#calm + 1;
    this.#read = read;
    if (this.#calm % nextLooks !== calmLooks) return;
    const { committed, used } = heap();
    if (used > limitBytes || committed < this.#committed + growthBytes) return;
    collect({ type: "major", flavor: "last-resort" });
    this.#committed = heap().committed;
  }
}

/**
 * Watches this process's heap. Does nothing without the engine's collector, which is there when the program was started
 * with `--v8-flags=--expose-gc`, as the launchers do. Does not keep the process alive.
 * @param traffic bytes that all sockets have read so far
 */
export function watchCalmHeap(traffic: () => number): Disposable {
  const collect = Reflect.get(globalThis, "gc") as CollectAll | undefined;
  if (collect === undefined) return { [Symbol.dispose]() {} };
  const calm = new CalmHeap({ traffic, heap: heapSize, collect });
  const timer = setInterval(() => calm.look(), lookIntervalMs);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function heapSize(): HeapSize {
  const { total_heap_size, used_heap_size } = getHeapStatistics();
  return { committed: total_heap_size, used: used_heap_size };
}
