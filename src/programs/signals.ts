import { owned, ownerOf } from "../faults/owned.ts";

/** Signals that end a program. */
const ending: readonly Deno.Signal[] = ["SIGTERM", "SIGINT"];

/** What signals ask of a program. */
export interface EndingSignals extends Disposable {
  /** Fulfilled with the first signal's name. */
  readonly first: Promise<Deno.Signal>;
  /** Fulfilled with the second signal's name: the program should end at once. */
  readonly second: Promise<Deno.Signal>;
}

/**
 * `deno task` passes signals on to its program, and Ctrl-C reaches the program from the terminal too: one key press
 * arrives as two SIGINTs, a millisecond apart where the machine is idle. Nobody presses twice this fast.
 */
const echoMs = 300;

/**
 * Listens for the signals that end a program, until disposed.
 * @param now milliseconds of a clock that never goes back
 */
export function endingSignals(now: () => number = () => performance.now()): EndingSignals {
  const first = Promise.withResolvers<Deno.Signal>();
  const second = Promise.withResolvers<Deno.Signal>();
  let seen = 0;
  let interruptedAt = -Infinity;
  const listeners = ending.map((signal) => {
    const listener = owned(ownerOf("signal"), () => {
      if (signal === "SIGINT") {
        const sinceMs = now() - interruptedAt;
        interruptedAt = now();
        if (sinceMs < echoMs) return;
      }
      (++seen === 1 ? first : second).resolve(signal);
    });
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
