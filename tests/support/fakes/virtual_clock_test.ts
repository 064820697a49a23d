import assert from "node:assert/strict";
import fc from "fast-check";
import { ownerOf } from "../../../src/faults/owned.ts";
import { VirtualClock } from "./virtual_clock.ts";

const owner = ownerOf("timer");

Deno.test("a virtual clock calls back whatever is due, in the order of its time and then of its beginning, at its time", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ ms: fc.integer({ min: 1, max: 50 }), cancels: fc.boolean() }), { maxLength: 60 }),
      (lengths) => {
        const clock = new VirtualClock();
        const fired: string[] = [];
        const deadlines = lengths.map(({ ms }, number) =>
          clock.after(ms, () => fired.push(`${clock.now()} ${number}`), owner)
        );
        lengths.forEach(({ cancels }, number) => cancels && deadlines[number]?.cancel());
        const due = lengths.map(({ ms, cancels }, number) => ({ ms, cancels, number })).filter(({ cancels }) =>
          !cancels
        );
        assert.equal(clock.pending, due.length);
        clock.advance(50);
        due.sort((a, b) => a.ms - b.ms || a.number - b.number);
        assert.deepEqual(fired, due.map(({ ms, number }) => `${ms} ${number}`));
        assert.deepEqual([clock.pending, clock.now()], [0, 50]);
      },
    ),
  );
});

Deno.test("what a callback sets is due in its turn, and what throws ends its owner alone", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.after(10, () => {
    clock.after(10, () => seen.push(`second at ${clock.now()}`), owner);
    throw new Error("broken");
  }, ownerOf("timer", ({ message }) => void seen.push(message)));
  clock.advance(19);
  assert.deepEqual(seen, ["broken"]);
  clock.advance(1);
  assert.deepEqual(seen, ["broken", "second at 20"]);
});

Deno.test("the time of day can be set, and no deadline moves by it", () => {
  const clock = new VirtualClock(1_000_000);
  let fired = 0;
  clock.after(10, () => fired++, owner);
  assert.equal(clock.timeOfDay(), 1_000_000);
  clock.setTimeOfDay(5);
  clock.advance(9);
  assert.deepEqual([fired, clock.timeOfDay(), clock.now()], [0, 14, 9]);
  clock.advance(1);
  assert.equal(fired, 1);
});
