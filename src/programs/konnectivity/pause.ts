import { owned, ownerOf } from "../../faults/owned.ts";

/** Waits for some milliseconds, or until the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = owned(ownerOf("timer", () => resolve()), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    });
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
