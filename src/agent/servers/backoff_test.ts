import assert from "node:assert/strict";
import { Backoff } from "./backoff.ts";

Deno.test("times between failed attempts grow by half up to the cap, and a success begins anew", () => {
  const backoff = new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 });
  const waits = Array.from({ length: 9 }, () => Math.round(backoff.failed()));
  assert.deepEqual(waits, [1000, 1500, 2250, 3375, 5063, 7594, 10_000, 10_000, 10_000]);
  assert.equal(backoff.succeeded(), 1000);
  assert.equal(backoff.failed(), 1000);
});

Deno.test("each time is up to a tenth longer, also at the cap, so that agents do not come all at once", () => {
  const backoff = new Backoff({ intervalMs: 200, capMs: 200, random: () => 0.5 });
  assert.equal(Math.round(backoff.failed()), 210);
  assert.equal(Math.round(backoff.succeeded()), 210);
});

Deno.test("in a hurry times begin at a tenth of a second and grow to the interval, whatever comes of the attempts", () => {
  const backoff = new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 });
  for (let failures = 0; failures < 5; failures++) backoff.failed();
  backoff.hurry();
  const waits: number[] = [];
  for (let at = 0; backoff.hurried; at++) waits.push(at % 2 === 0 ? backoff.failed() : backoff.succeeded());
  assert.deepEqual(waits.slice(0, 3).map(Math.round), [100, 110, 121]);
  assert.ok(waits.every((ms, at) => ms < 1000 && ms > (waits[at - 1] ?? 0)));
  const soon = waits.filter((_, at) => waits.slice(0, at + 1).reduce((sum, ms) => sum + ms) <= 2000);
  assert.equal(soon.length, 11);
  assert.equal(waits.length, 25);
  // Then as ever.
  assert.deepEqual([backoff.failed(), backoff.failed(), backoff.succeeded()], [1000, 1500, 1000]);
});

Deno.test("a hurry ends when nothing is looked for any more, and makes no interval longer", () => {
  const backoff = new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 });
  backoff.hurry();
  assert.equal(backoff.failed(), 100);
  backoff.reset();
  assert.equal(backoff.failed(), 1000);
  const quick = new Backoff({ intervalMs: 50, capMs: 200, random: () => 0 });
  quick.hurry();
  assert.equal(quick.hurried, false);
  assert.equal(quick.failed(), 50);
  const equal = new Backoff({ intervalMs: 100, capMs: 200, random: () => 0 });
  equal.hurry();
  assert.equal(equal.hurried, false);
});

Deno.test("a hurry forgets the failures before it, also when it is over at once", () => {
  const backoff = new Backoff({ intervalMs: 1000, capMs: 10_000, random: () => 0 });
  for (let failures = 0; failures < 5; failures++) backoff.failed();
  backoff.hurry();
  backoff.reset();
  assert.equal(backoff.failures, 0);
  assert.equal(backoff.failed(), 1000);
});
