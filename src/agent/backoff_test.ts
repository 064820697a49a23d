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
