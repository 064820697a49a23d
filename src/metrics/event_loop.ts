import { guard, owned, ownerOf } from "../faults/owned.ts";

/** How often the event loop is looked at, in milliseconds. Ten wake-ups a second cost nothing that can be measured. */
const sampleIntervalMs = 100;

/**
 * Measures how late the event loop runs, by how late a timer fires: the runtime's own measurement
 * (`monitorEventLoopDelay`) gives wrong numbers. Does not keep the process alive.
 * @param observe gets the delay in seconds, once for each sample
 */
export function watchEventLoop(observe: (seconds: number) => void, intervalMs: number = sampleIntervalMs): Disposable {
  let due = performance.now() + intervalMs;
  let timer: ReturnType<typeof setTimeout>;
  // Not an interval: after a long stall that would fire at once again and report the same stall in pieces.
  const owner = ownerOf("metrics");
  const sample = owned(owner, () => {
    const now = performance.now();
    guard(owner, () => observe(Math.max(0, now - due) / 1000));
    due = now + intervalMs;
    timer = setTimeout(sample, intervalMs);
    Deno.unrefTimer(timer);
  });
  timer = setTimeout(sample, intervalMs);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
