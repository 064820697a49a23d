/** Signals that end a program. */
const ending: readonly Deno.Signal[] = ["SIGTERM", "SIGINT"];

/** What a program is told by signals. */
export interface EndingSignals extends Disposable {
  /** Fulfilled with the first signal's name. */
  readonly first: Promise<Deno.Signal>;
  /** Fulfilled with the second signal's name: the program should end at once. */
  readonly second: Promise<Deno.Signal>;
}

/** Listens for the signals that end a program, until disposed. */
export function endingSignals(): EndingSignals {
  const first = Promise.withResolvers<Deno.Signal>();
  const second = Promise.withResolvers<Deno.Signal>();
  let seen = 0;
  const listeners = ending.map((signal) => {
    const listener = () => (++seen === 1 ? first : second).resolve(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  return {
    first: first.promise,
    second: second.promise,
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
