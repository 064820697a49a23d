import { owned, ownerOf } from "../../faults/owned.ts";

/** The engine's collector, asked to give back to the system all that it can. */
export type CollectAll = (options: { readonly type: "major" }) => void;

/** What the memory of a process is judged by, and given back with. */
export interface IdleHeapTrimmerOptions {
  /** Bytes that all sockets have read so far. */
  readonly traffic: () => number;
  readonly memory: () => MemorySize;
  readonly collect: CollectAll;
  /** Gives back what the engine has freed outside of its heap; takes effect after it has returned. */
  readonly trim: () => void;
}

/** Sizes in bytes. */
export interface MemorySize {
  /** What the process holds of the machine's memory. */
  readonly resident: number;
  /** What lives on the engine's heap. */
  readonly used: number;
}

/** How often {@link IdleHeapTrimmer.check} is to be called, in milliseconds. */
const checkIntervalMs = 250;
/** More than this read between two checks, in bytes, is traffic; keepalives and a few dials stay below. */
const idleBytes = 4 * 1024;
/** Checks in a row without traffic before memory is judged first. */
const idleChecks = 2;
/**
 * Checks in which no more than as many times {@link idleBytes} are read, before memory is judged that earlier traffic needed
 * too. It is their sum that counts: the keepalives of many links come together.
 */
const longIdleChecks = 40;
/** Growth since the last collection that makes one worth its pause, in bytes. */
const growthBytes = 3 * 1024 * 1024;
/** A larger heap would pause the process for too long: tens of milliseconds are fine while nothing moves, hundreds not. */
const limitBytes = 64 * 1024 * 1024;

/**
 * Gives memory back once the process is idle: after the start, and after many tunnels came or went. The engine keeps
 * what a burst of dials made its heap grow to, which is several times of what their tunnels need, and the system's
 * allocator what the engine needed to compile the code that they ran. That costs: the engine loses some of that code, and the
 * next burst takes a fifth more of the processor. So memory is given back within a second where there is more of it than
 * there was before the last time, and else once the process has been idle for ten.
 */
export class IdleHeapTrimmer {
  readonly #options: IdleHeapTrimmerOptions;
  #read: number;
  /** Checks in a row without traffic. */
  #idleFor = 0;
  /** Checks since there was traffic or memory was judged by the longer time, and what was read in them. */
  #checks = 0;
  #bytes = 0;
  /** Memory was judged by the last check; what was given back shows by now. */
  #judged = false;
  /** What was left after the last collection, and what there was before it. */
  #resident = 0;
  #before = 0;

  constructor(options: IdleHeapTrimmerOptions) {
    this.#options = options;
    this.#read = options.traffic();
  }

  /** Finds out whether the process is idle, and collects where it is worth it. */
  check(): void {
    const { memory, collect, trim } = this.#options;
    if (this.#judged) this.#resident = Math.min(this.#resident, memory().resident);
    const known = this.#known();
    this.#judged = known !== undefined;
    if (known === undefined) return;
    const { resident, used } = memory();
    if (used > limitBytes || resident < known + growthBytes) return;
    collect({ type: "major" });
    trim();
    this.#before = resident;
    this.#resident = memory().resident;
  }

  /** What memory is to be compared with now: what the last traffic needed the next will need again, if it follows soon. */
  #known(): number | undefined {
    const read = this.#options.traffic();
    const bytes = read - this.#read;
    this.#read = read;
    this.#idleFor = bytes > idleBytes ? 0 : this.#idleFor + 1;
    this.#bytes += bytes;
    const isLong = ++this.#checks === longIdleChecks;
    const isTraffic = this.#bytes > longIdleChecks * idleBytes;
    if (isLong || isTraffic) this.#checks = this.#bytes = 0;
    if (isLong && !isTraffic) return this.#resident;
    return this.#idleFor === idleChecks ? this.#before : undefined;
  }
}

/**
 * Watches this process's memory. Does nothing without the engine's collector, which is there when the program was started
 * with `--v8-flags=--expose-gc`, as the launchers do. Does not keep the process alive.
 * @param traffic bytes that all sockets have read so far
 */
export function trimWhenIdle(traffic: () => number): Disposable {
  const collect = Reflect.get(globalThis, "gc") as CollectAll | undefined;
  if (collect === undefined) return { [Symbol.dispose]() {} };
  const trimmer = systemTrimmer();
  const idleTrimmer = new IdleHeapTrimmer({ traffic, memory: memorySize, collect, trim: () => trimmer.trim() });
  const timer = setInterval(owned(ownerOf("timer"), () => idleTrimmer.check()), checkIntervalMs);
  Deno.unrefTimer(timer);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

function memorySize(): MemorySize {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { resident: rss, used: heapUsed };
}

/**
 * The runtime trims the system's allocator when it gets SIGUSR2, where `DENO_USR2_MEMORY_TRIM` was set at its start, as
 * the launchers do; a process may send signals to itself whatever its permissions are. It then collects in all workers too,
 * so that a worker, which knows of itself alone that it is idle, does not ask for it.
 */
function systemTrimmer(): { trim(): void } {
  if (Deno.build.os !== "linux" || "DedicatedWorkerGlobalScope" in globalThis) return { trim() {} };
  outliveTrims();
  return { trim: () => Deno.kill(Deno.pid, "SIGUSR2") };
}

let outlives = false;

/**
 * Lets this process outlive SIGUSR2, for good. Without a listener the signal would end a process whose runtime does not look
 * out for it; and the runtime learns of a signal some time after it was sent, so that nobody knows when a listener could go.
 */
export function outliveTrims(): void {
  if (outlives) return;
  outlives = true;
  Deno.addSignalListener("SIGUSR2", () => {});
}
