import { type Collect, youngCollector } from "./young_buffers.ts";

/** The engine's collector: there when the program was started with `--v8-flags=--expose-gc`, as the launchers do. */
const collectYoung = youngCollector(Reflect.get(globalThis, "gc") as Collect | undefined);
let total = 0;

/** Tells that a socket has read so many bytes. */
export function bytesRead(bytes: number): void {
  total += bytes;
  collectYoung(bytes);
}

/** What all sockets of links, clients and destinations have read so far, in bytes. */
export function bytesReadSoFar(): number {
  return total;
}
