import assert from "node:assert/strict";
import { CalmHeap } from "./calm_heap.ts";

const mib = 1024 * 1024;

/** A heap that a test sets, and the collections that it saw. */
class FakeHeap {
  read = 0;
  used = 10 * mib;
  committed = 20 * mib;
  collections = 0;
  readonly calm = new CalmHeap({
    traffic: () => this.read,
    heap: () => ({ committed: this.committed, used: this.used }),
    collect: () => {
      this.collections++;
      this.committed = this.used;
    },
  });

  looks(count: number, bytesEach = 0): void {
    for (let i = 0; i < count; i++) {
      this.read += bytesEach;
      this.calm.look();
    }
  }
}

Deno.test("a heap is collected once traffic has calmed down, and not again before it has grown", () => {
  const heap = new FakeHeap();
  heap.looks(100, 5000);
  assert.equal(heap.collections, 0);
  heap.looks(1);
  assert.equal(heap.collections, 0);
  heap.looks(1);
  assert.equal(heap.collections, 1);
  heap.looks(5, mib);
  heap.committed += 2 * mib;
  heap.looks(200);
  assert.equal(heap.collections, 1);
  heap.committed += mib;
  heap.looks(5, mib);
  heap.looks(2);
  assert.equal(heap.collections, 2);
});

Deno.test("while it stays calm, what a trickle lets a heap grow by is collected every tenth second at most", () => {
  const heap = new FakeHeap();
  heap.looks(2, 1000);
  assert.equal(heap.collections, 1);
  for (let i = 0; i < 80; i++) {
    heap.committed += mib;
    heap.looks(1, 1000);
  }
  assert.equal(heap.collections, 3);
});

Deno.test("a heap whose collection would take long is left to the engine", () => {
  const heap = new FakeHeap();
  heap.used = 65 * mib;
  heap.committed = 100 * mib;
  heap.looks(100);
  assert.equal(heap.collections, 0);
});
