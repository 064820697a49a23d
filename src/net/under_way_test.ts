import assert from "node:assert/strict";
import { type Mark, UnderWay } from "./under_way.ts";

const kib = 1024;

/** A link of a given speed and distance, in simulated time, with a sender that always has data. */
function run(bytesPerMs: number, roundTripMs: number, forMs: number) {
  const underWay = new UnderWay();
  const answers: { at: number; sentAt: number; mark: Mark }[] = [];
  let arrived = 0;
  let largest = 0;
  let sent = 0;
  /** When the link has passed on everything that was sent. */
  let linkFreeAt = 0;
  for (let now = 0; now < forMs; now += 0.05) {
    for (let answer = answers[0]; answer !== undefined && answer.at <= now; answer = answers[0]) {
      answers.shift();
      arrived += answer.mark.bytes;
      underWay.answered(answer.mark, now - answer.sentAt, roundTripMs);
    }
    while (!underWay.full) {
      sent += 64 * kib;
      linkFreeAt = Math.max(linkFreeAt, now) + 64 * kib / bytesPerMs;
      if (underWay.sent(64 * kib)) answers.push({ at: linkFreeAt + roundTripMs, sentAt: now, mark: underWay.mark() });
    }
    largest = Math.max(largest, sent - arrived);
  }
  return { bytesPerMs: arrived / forMs, largest, underWay };
}

Deno.test("a near link runs full with half a megabyte under way", () => {
  const { bytesPerMs, largest } = run(600_000, 0.15, 200);
  assert.ok(bytesPerMs > 500_000, String(bytesPerMs));
  assert.ok(largest <= 576 * kib, String(largest));
});

Deno.test("a distant link is given what its distance needs, and about twice of that at most", () => {
  const { bytesPerMs, largest } = run(100_000, 50, 4_000);
  assert.ok(bytesPerMs > 85_000, String(bytesPerMs));
  const product = 100_000 * 50;
  assert.ok(largest > product, String(largest));
  assert.ok(largest < 2.2 * product, String(largest));
});

Deno.test("whatever a link delivers, what is under way has an end", () => {
  const { underWay } = run(10_000_000, 100, 2_000);
  assert.ok(underWay.limitBytes <= 64 * 1024 * kib, String(underWay.limitBytes));
});

Deno.test("a link that falls silent for a while goes on with nearly the bound that it had", () => {
  const { underWay } = run(100_000, 50, 4_000);
  const before = underWay.limitBytes;
  for (let i = 0; i < 5; i++) underWay.answered({ bytes: 0, arrivedBefore: 0 }, 1e9, 50);
  assert.ok(underWay.limitBytes > 0.85 * before);
  for (let i = 0; i < 500; i++) underWay.answered({ bytes: 0, arrivedBefore: 0 }, 1e9, 50);
  assert.equal(underWay.limitBytes, 512 * kib);
});
