import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Fulfilled after `ms` milliseconds, or as soon as the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const owner = ownerOf("kube", () => resolve());
    const done = owned(owner, () => {
      over.cancel();
      signal.removeEventListener("abort", done);
      resolve();
    });
    const over = clock.after(ms, done, owner);
    signal.addEventListener("abort", done);
  });
}
