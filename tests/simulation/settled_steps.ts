import process from "node:process";

/**
 * What passes between two steps: promises settle, however many follow from each other; with "event loop", the runtime's event
 * loop has a turn besides, which a run must not notice.
 */
export type Between = "promises" | "event loop";

/**
 * Takes steps until one says that it was the last. The runtime empties the queue of microtasks before it calls back what one of
 * them has put off with `nextTick`, so that nothing of a step is left to settle when the next one begins.
 */
export function settledSteps(between: Between, step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = () => {
      try {
        if (step()) queueMicrotask(putOff);
        else resolve();
      } catch (error) {
        reject(error);
      }
    };
    const putOff = between === "promises" ? () => process.nextTick(take) : () => void setImmediate(take);
    queueMicrotask(putOff);
  });
}
