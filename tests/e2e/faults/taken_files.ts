import assert from "node:assert/strict";

/** What a process can still open, at most, when its descriptors are taken. */
const spare = 8;
export const plenty = 4096;

/** Sets how many files a process may have open from now on; those that it has stay open. */
export async function limitFiles(pid: number, soft: number): Promise<void> {
  const { success } = await new Deno.Command("prlimit", { args: ["--pid", String(pid), `--nofile=${soft}:`] }).output();
  assert.ok(success, "prlimit");
}

/** Leaves a process the lowest numbers that it does not use, so many of them. */
export async function takeFiles(pid: number): Promise<void> {
  const used = new Set((await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).map(({ name }) => Number(name)));
  let limit = 0;
  for (let free = 0; free < spare; limit++) if (!used.has(limit)) free++;
  await limitFiles(pid, limit);
}
