import process from "node:process";
import { setImmediate } from "node:timers";

/** How long after a signal the inspector is closed in each turn of the event loop, and then now and again. */
const eachTurnMs = 20;
const watchMs = 2_000;
const watchIntervalMs = 5;
/** When the runtime begins to listen for the signal, in milliseconds after its start; somewhat less, to be sure. */
const runtimeListensMs = 400;

/**
 * Keeps the runtime's inspector shut. At SIGUSR1 the runtime (seen in 2.9.6) opens it on 127.0.0.1:9229 for every user of
 * the machine, whatever the process's permissions are, and has no flag against it. Whoever reaches it runs code in the
 * process and reads its keys. A listener for the signal does not keep it from opening, so that it is closed at once. The
 * runtime opens it a turn of the event loop earlier or later than this sees the signal, hence the closing in each turn: it
 * is open for less than a client takes to ask for anything, and who has connected is cut off.
 *
 * `inspector_guard_test.ts` fails once the runtime no longer does this. A listener must remain even then, since SIGUSR1 ends
 * a process that has none.
 * @param onSignal called at each signal, after the inspector was closed
 */
export function guardInspector(onSignal: () => void): Disposable {
  let signalledAt = -Infinity;
  let watching: ReturnType<typeof setInterval> | undefined;
  const eachTurn = () => {
    closeInspector();
    if (performance.now() < signalledAt + eachTurnMs) setImmediate(eachTurn);
  };
  const watch = () => {
    closeInspector();
    if (performance.now() > signalledAt + watchMs) stopWatching();
  };
  const stopWatching = () => {
    clearInterval(watching);
    watching = undefined;
  };
  const onUsr1 = () => {
    signalledAt = performance.now();
    eachTurn();
    if (watching === undefined) {
      watching = setInterval(watch, watchIntervalMs);
      Deno.unrefTimer(watching);
    }
    onSignal();
  };
  Deno.addSignalListener("SIGUSR1", onUsr1);
  // A start that took long may have had the signal before this listener was there.
  if (performance.now() > runtimeListensMs) closeInspector();
  return {
    [Symbol.dispose]() {
      stopWatching();
      Deno.removeSignalListener("SIGUSR1", onUsr1);
    },
  };
}

/** Does nothing where none is open. The module is loaded when it is first needed: it takes a megabyte. */
function closeInspector(): void {
  process.getBuiltinModule("node:inspector").close();
}
