import assert from "node:assert/strict";
import fc from "fast-check";
import { channelOwner } from "../../tests/support/memory/channel_owner.ts";
import type { After } from "../streams/progress.ts";
import { StallGuard } from "./stall_guard.ts";

/** Records what it was told. */
class Link {
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

const heldBytes = 1000;

/** A guard and its link; graces end when the test says so. */
function guarded() {
  const link = new Link();
  const graces = new Set<() => void>();
  const after: After = (_ms, onFire) => {
    graces.add(onFire);
    return { cancel: () => void graces.delete(onFire) };
  };
  const guard = new StallGuard(link, { heldBytes, graceMs: 10_000 }, after);
  return { link, guard, graces };
}

Deno.test("the link pauses with the first channel that holds too much, and resumes with the last", () => {
  const { link, guard, graces } = guarded();
  const [a, b] = [channelOwner(), channelOwner()];
  guard.held(a, heldBytes - 1);
  assert.deepEqual(link.told, []);
  guard.held(a, heldBytes);
  guard.held(b, heldBytes + 1);
  guard.held(a, heldBytes + 2);
  assert.deepEqual(link.told, ["pause"]);
  assert.equal(graces.size, 2);
  guard.held(a, 0);
  assert.deepEqual(link.told, ["pause"]);
  guard.release(b);
  assert.deepEqual(link.told, ["pause", "resume"]);
  assert.equal(graces.size, 0);
  assert.equal(guard.stalled, false);
});

Deno.test("a channel that holds the link back for the whole grace is told, and the link reads on before that", () => {
  const { link, guard, graces } = guarded();
  const told: string[][] = [];
  guard.held(channelOwner({ stalled: () => void told.push([...link.told]) }), heldBytes);
  for (const fire of [...graces]) fire();
  assert.deepEqual(told, [["pause", "resume"]]);
  assert.equal(guard.stalled, false);
});

Deno.test("after any history the link is paused exactly while a channel holds too much, and is never told twice", () => {
  const step = fc.record({ owner: fc.nat(4), bytes: fc.nat(2 * heldBytes) });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const { link, guard, graces } = guarded();
    const owners = Array.from({ length: 5 }, () => channelOwner());
    const full = new Set<number>();
    for (const { owner, bytes } of steps) {
      guard.held(owners[owner] ?? channelOwner(), bytes);
      if (bytes >= heldBytes) full.add(owner);
      else full.delete(owner);
      assert.equal(link.paused, full.size > 0);
      assert.equal(graces.size, full.size);
    }
    link.told.forEach((word, at) => assert.equal(word, at % 2 === 0 ? "pause" : "resume"));
  }));
});
