/** What a process holds. */
export interface Held {
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** What a process holds now, by the system's own account; undefined when it is gone. Linux only. */
export async function heldBy(pid: number): Promise<Held | undefined> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    let descriptors = 0;
    for await (const _ of Deno.readDir(`/proc/${pid}/fd`)) descriptors++;
    return { residentMiB: Math.round(kib / 1024), descriptors };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
