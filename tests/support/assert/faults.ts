import { type FaultPlace, onFault } from "../../../src/faults/fault.ts";

/** A fault of the code under test, which its owner has taken: without this, what a handler asserts would fail no test. */
export interface SeenFault {
  readonly place: FaultPlace;
  readonly error: Error;
}

const unexpected: SeenFault[] = [];
/** Who expects faults now, the last of them first. */
const expecting: SeenFault[][] = [];

onFault((place, error) => {
  (expecting.at(-1) ?? unexpected).push({ place, error });
});

/** Fails the test with a fault that nobody expected. */
export function throwFaults(): void {
  const [first] = unexpected.splice(0);
  if (first === undefined) return;
  throw new Error(`a callback threw, and ended its ${first.place}: ${first.error.message}`, { cause: first.error });
}

/** Takes faults, until it is disposed, for a test that makes something throw. */
export function expectFaults(): Disposable & { readonly seen: readonly SeenFault[] } {
  const seen: SeenFault[] = [];
  expecting.push(seen);
  return {
    seen,
    [Symbol.dispose]() {
      expecting.splice(expecting.indexOf(seen), 1);
    },
  };
}
