import { throwFaults } from "./faults.ts";

/** How long a condition may take on a busy machine, in milliseconds. */
const patienceMs = 180_000;

/** Looks come this often at first, in milliseconds, and at most so far apart later. */
const firstPauseMs = 5;
const lastPauseMs = 100;

/**
 * Waits until a condition holds. It looks every few milliseconds at first, then whenever a tenth of the time gone has
 * passed again: a look may cost a request to a program that has too little processor time as it is.
 * @returns the condition's first truthy value
 * @throws when it does not hold in time; `what` names it; when a callback has thrown that should not
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs: number = patienceMs,
): Promise<T> {
  const since = performance.now();
  for (;;) {
    const value = await condition();
    throwFaults();
    if (value) return value;
    const gone = performance.now() - since;
    if (gone > limitMs) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    const pause = Math.min(lastPauseMs, Math.max(firstPauseMs, gone / 10));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
