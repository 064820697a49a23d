import { getLogger } from "@logtape/logtape";
import { limitReads } from "../runtime/memory/read_meter.ts";
import { type MemoryBudget, memoryBudget, neededBytes } from "./memory_budget.ts";
import { memoryLimit } from "./memory_limit.ts";

const log = getLogger(["memory"]);

/**
 * Bounds what this thread holds by the limit of its process.
 * @param threads that serve in the process
 */
export async function boundMemory(threads = 1): Promise<MemoryBudget> {
  const budget = memoryBudget(await memoryLimit(), threads);
  limitReads(budget);
  return budget;
}

/** Says once what the limit is, and as a warning where it is less than the program needs. */
export async function logMemoryLimit(threads = 1): Promise<void> {
  const limitBytes = await memoryLimit();
  if (limitBytes === undefined) return;
  const limit = inMebibytes(limitBytes);
  const needed = inMebibytes(neededBytes(threads));
  if (limit >= needed) return log.info("memory is limited to {limit} MiB, which bounds what is buffered", { limit });
  log.warn("memory is limited to {limit} MiB, and {needed} are needed under load: the system may kill this program", {
    limit,
    needed,
  });
}

function inMebibytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}
