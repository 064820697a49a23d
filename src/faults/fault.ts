/** What a fault ends: the label of a metric, and a word in the log. */
export const faultPlaces = [
  "agent",
  "call",
  "certificates",
  "connection",
  "dial",
  "health",
  "kube",
  "link",
  "listener",
  "log",
  "metrics",
  "request",
  "servers",
  "signal",
  "stream",
  "timer",
  "tunnel",
  "worker",
] as const;

export type FaultPlace = typeof faultPlaces[number];

/** Who a callback of the runtime belongs to: what ends when the callback throws, and nothing else does. */
export interface Owner {
  readonly place: FaultPlace;
  /** Ends it. The error was logged and counted already. May be called in any state, and more than once. */
  faulted(error: Error): void;
}

/** Hears of each fault. */
export type FaultListener = (place: FaultPlace, error: Error) => void;

const counts = new Map<FaultPlace, number>();
const listeners = new Set<FaultListener>();

/**
 * A callback threw what nobody expected: a fault of this program. It is counted, the listeners are notified, and its owner ends.
 * Never throws.
 */
export function fault(owner: Owner, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
  reportFault(owner.place, error);
  try {
    owner.faulted(error);
  } catch (second) {
    // What can be ended has been; the listeners see that the end itself failed.
    reportFault(owner.place, second);
  }
}

/** Counts a fault and notifies the listeners, where nothing has to end. Never throws. */
export function reportFault(place: FaultPlace, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
  counts.set(place, (counts.get(place) ?? 0) + 1);
  for (const listener of listeners) {
    try {
      listener(place, error);
    } catch {
      // The log itself is at fault, and there is nobody to notify; the count shows it.
      counts.set("log", (counts.get("log") ?? 0) + 1);
    }
  }
}

/** Whether an error is one that only a mistake in a program makes; errors of the system and of peers have a code. */
export function isProgramError(error: unknown): boolean {
  const kinds = [TypeError, RangeError, ReferenceError, SyntaxError];
  return kinds.some((kind) => error instanceof kind) && Reflect.get(Object(error), "code") === undefined;
}

/** Faults since the process or worker started, by what they ended. */
export function faultCounts(): Iterable<readonly [FaultPlace, number]> {
  return faultPlaces.map((place) => [place, counts.get(place) ?? 0]);
}

/** Tells of each fault from now on. @returns what ends that */
export function onFault(listener: FaultListener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
