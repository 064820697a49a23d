/** How long a condition may take on a busy machine, in milliseconds. */
const patienceMs = 60_000;

/**
 * Waits until a condition holds, looking every few milliseconds.
 * @returns the condition's first truthy value
 * @throws when it does not hold in time; `what` names it
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs: number = patienceMs,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
