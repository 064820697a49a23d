import assert from "node:assert/strict";
import { KnownServerCount } from "./known_server_count.ts";

const linked = (...counts: number[]) => counts.map((serverCount) => ({ serverCount }));

Deno.test("the largest report of a linked server counts, and without a link the last report", () => {
  const known = new KnownServerCount("default", undefined, 0, () => 0);
  assert.equal(known.of([]), 1);
  known.answered(0, 3);
  assert.equal(known.of([]), 3);
  assert.equal(known.of(linked(2, 5, 4)), 5);
  assert.equal(known.of(linked(1)), 1, "what a linked server says now counts more than an older report");
  known.answered(0);
  assert.equal(known.of([]), 3, "an answer without a report leaves the last one");
});

Deno.test("where there is a counter, the source decides whether reports count too", () => {
  const counter = { count: () => 4, onChange: () => {} };
  assert.equal(new KnownServerCount("default", counter, 0, () => 0).of(linked(6)), 4);
  assert.equal(new KnownServerCount("max", counter, 0, () => 0).of(linked(6)), 6);
});

Deno.test("a complete set asks again after the time for it and up to half as much, where reports count", () => {
  const recheckOf = (...options: ConstructorParameters<typeof KnownServerCount>) => {
    const known = new KnownServerCount(...options);
    assert.equal(known.recheckAt, Infinity);
    known.answered(100, 2);
    return known.recheckAt;
  };
  const counter = { count: () => 4, onChange: () => {} };
  assert.equal(recheckOf("default", undefined, 60, () => 0), 160);
  assert.equal(recheckOf("default", undefined, 60, () => 0.5), 175);
  assert.equal(recheckOf("max", counter, 1, () => 0), 101);
  assert.equal(recheckOf("default", counter, 60, () => 0), Infinity);
  assert.equal(recheckOf("default", undefined, 0, () => 0), Infinity);
});
