import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { Fifo } from "./fifo.ts";

Deno.test("items come out in their order, whatever comes and goes between", () => {
  const step = fc.oneof(
    fc.record({ push: fc.constantFrom(1, 3, 700, 1500) }),
    fc.record({ shift: fc.constantFrom(1, 2, 600, 2000) }),
    fc.constant("clear" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const fifo = new Fifo<{ readonly at: number }>();
    let next = 0;
    let oldest = 0;
    for (const one of steps) {
      if (one === "clear") {
        fifo.clear();
        oldest = next;
      } else if ("push" in one) { for (let count = 0; count < one.push; count++) fifo.push({ at: next++ }); }
      else {
        for (let count = 0; count < one.shift; count++) {
          assert.equal(fifo.shift()?.at, oldest < next ? oldest++ : undefined);
        }
      }
      assert.equal(fifo.length, next - oldest);
    }
  }));
});

Deno.test("a queue that never becomes empty does not grow with what has passed", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = () => {
    collect();
    return Deno.memoryUsage().heapUsed;
  };
  const fifo = new Fifo<{ readonly at: number }>();
  for (let at = 0; at < 10; at++) fifo.push({ at });
  const before = heap();
  for (let at = 0; at < 2_000_000; at++) {
    const item = fifo.shift();
    if (item !== undefined) fifo.push(item);
  }
  const grown = heap() - before;
  assert.equal(fifo.length, 10);
  assert.ok(grown < 2_000_000, `${grown} bytes`);
});
