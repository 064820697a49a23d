import assert from "node:assert/strict";
import fc from "fast-check";
import { ReadGate } from "./read_gate.ts";

/** Records what it was told. */
class Source {
  readonly told: string[] = [];

  pause(): void {
    this.told.push("pause");
  }

  resume(): void {
    this.told.push("resume");
  }

  get paused(): boolean {
    return this.told.at(-1) === "pause";
  }
}

Deno.test("the source pauses with the first full consumer and resumes with the last", () => {
  const source = new Source();
  const gate = new ReadGate<string>(source);
  gate.close("a");
  gate.close("b");
  assert.deepEqual(source.told, ["pause"]);
  assert.equal(gate.fullCount, 2);
  gate.open("a");
  assert.deepEqual(source.told, ["pause"]);
  gate.open("b");
  assert.deepEqual(source.told, ["pause", "resume"]);
  assert.equal(gate.fullCount, 0);
});

Deno.test("a consumer counts once however often it says that it is full", () => {
  const source = new Source();
  const gate = new ReadGate<string>(source);
  gate.close("a");
  gate.close("a");
  gate.open("a");
  assert.deepEqual(source.told, ["pause", "resume"]);
});

Deno.test("opening what was never closed tells the source nothing", () => {
  const source = new Source();
  const gate = new ReadGate<string>(source);
  gate.open("a");
  gate.close("b");
  gate.open("a");
  assert.deepEqual(source.told, ["pause"]);
});

Deno.test("after any history the source is paused exactly while somebody is full, and is never told twice", () => {
  const step = fc.record({ consumer: fc.nat(4), full: fc.boolean() });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const source = new Source();
    const gate = new ReadGate<number>(source);
    const full = new Set<number>();
    for (const { consumer, full: isFull } of steps) {
      if (isFull) {
        gate.close(consumer);
        full.add(consumer);
      } else {
        gate.open(consumer);
        full.delete(consumer);
      }
      assert.equal(source.paused, full.size > 0);
      assert.equal(gate.fullCount, full.size);
    }
    source.told.forEach((word, at) => assert.equal(word, at % 2 === 0 ? "pause" : "resume"));
  }));
});
