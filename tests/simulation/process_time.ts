/**
 * Has the process's own clock stand still until it is disposed. What measures real work (`runtime/fair_reading.ts`) finds then
 * that all of it is light, so that how busy this machine is has no say in a run.
 */
export function frozenProcessTime(): Disposable {
  const at = performance.now();
  Object.defineProperty(performance, "now", { value: () => at, configurable: true, writable: true });
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(performance, "now") };
}

/** Has errors carry no stacks until it is disposed: to take them is a tenth of the work of a run in which much fails. */
export function withoutStacks(): Disposable {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  return { [Symbol.dispose]: () => void (Error.stackTraceLimit = before) };
}
