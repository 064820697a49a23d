import type { WorkerHandle } from "./worker_handle.ts";

/**
 * Why the command should be started anew; undefined when all of its workers are alive. A worker that hangs is noticed:
 * without workers, the health port would hang with it. One whose metrics take long is no dead one.
 */
export async function liveness(workers: readonly WorkerHandle[]): Promise<string | undefined> {
  try {
    await Promise.all(workers.map((worker) => worker.ping()));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
