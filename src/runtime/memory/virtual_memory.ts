import { readSync } from "node:fs";

/** As /proc/self/statm has it: sizes in pages, of which the fifth and the seventh are 0 since Linux 2.6. */
const statm = /^(\d+) (\d+) \d+ \d+ 0 \d+ 0\n$/;

/** What `statm` can take: seven numbers. */
const room = new Uint8Array(256);

/** The address space of this process. */
export interface VirtualMemory {
  /** In bytes. */
  readonly size: number;
  /** In bytes; as Prometheus' libraries write "unlimited", 2^64 - 1. */
  readonly limit: number;
}

/**
 * Reads the size of this process's address space. The runtime (2.9.6) gives it to nobody, and lets only programs that may
 * do everything open /proc/self. The launcher therefore opens the file before the program takes its place, as standard
 * input, and only where the size has no limit. Reading a descriptor at a position needs no permission; of a pipe or a
 * terminal it fails at once and takes nothing.
 * @param descriptor standard input, unless a test has another one
 * @returns undefined where standard input is something else
 */
export function virtualMemory(descriptor: number = 0): VirtualMemory | undefined {
  let text: string;
  try {
    text = new TextDecoder().decode(room.subarray(0, readSync(descriptor, room, 0, room.length, 0)));
  } catch {
    return undefined;
  }
  const [, size, resident] = statm.exec(text) ?? [];
  if (size === undefined || Number(resident) === 0) return undefined;
  // The size of a page, a power of two, is what makes the same resident memory of both figures.
  const pageBytes = 2 ** Math.round(Math.log2(Deno.memoryUsage().rss / Number(resident)));
  return { size: Number(size) * pageBytes, limit: 2 ** 64 - 1 };
}
