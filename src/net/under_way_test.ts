import assert from "node:assert/strict";
import { type Mark, UnderWay } from "./under_way.ts";

const kib = 1024;

/** A link of a given speed and distance, in simulated time, with a sender that always has data. @param talkEveryMs 0: never */
function run(bytesPerMs: number, roundTripMs: number, forMs: number, talkEveryMs: number) {
  let now = 0;
  const underWay = new UnderWay(() => now);
  const answers: { at: number; sentAt: number; mark: Mark }[] = [];
  let arrived = 0;
  let largest = 0;
  let sent = 0;
  /** When the link has passed on everything that was sent. */
  let linkFreeAt = 0;
  const send = (bytes: number) => {
    sent += bytes;
    linkFreeAt = Math.max(linkFreeAt, now) + bytes / bytesPerMs;
    if (underWay.sent(bytes)) answers.push({ at: linkFreeAt + roundTripMs, sentAt: now, mark: underWay.mark() });
  };
  let talked = 0;
  for (; now < forMs; now += 0.05) {
    for (let answer = answers[0]; answer !== undefined && answer.at <= now; answer = answers[0]) {
      answers.shift();
      arrived += answer.mark.bytes;
      underWay.answered(answer.mark, now - answer.sentAt, roundTripMs);
    }
    if (talkEveryMs > 0 && now - talked > talkEveryMs) {
      talked = now;
      underWay.talk();
      send(100);
    }
    while (!underWay.full) send(64 * kib);
    if (now > forMs / 2) largest = Math.max(largest, sent - arrived);
  }
  return { bytesPerMs: arrived / forMs, largest, underWay };
}

Deno.test("a near link that somebody talks over runs full with a quarter of a megabyte under way", () => {
  const { bytesPerMs, largest } = run(600_000, 0.15, 400, 4);
  assert.ok(bytesPerMs > 500_000, String(bytesPerMs));
  assert.ok(largest <= 400 * kib, String(largest));
});

Deno.test("where nobody talks a few megabytes may be under way", () => {
  const { largest } = run(600_000, 0.15, 400, 0);
  assert.ok(largest > 3.5 * 1024 * kib && largest < 5 * 1024 * kib, String(largest));
});

Deno.test("what begins some transfers is no talk, and talk that ends is over", () => {
  let now = 1000;
  const underWay = new UnderWay(() => now);
  for (let i = 0; i < 16; i++) underWay.talk();
  now += 10;
  underWay.talk();
  assert.equal(underWay.limitBytes, 4 * 1024 * kib);
  now += 11;
  underWay.talk();
  assert.equal(underWay.limitBytes, 256 * kib);
  now += 240;
  underWay.mark();
  assert.equal(underWay.limitBytes, 256 * kib);
  now += 11;
  underWay.mark();
  assert.equal(underWay.limitBytes, 4 * 1024 * kib);
  underWay.talk();
  assert.equal(underWay.limitBytes, 4 * 1024 * kib);
});

Deno.test("a distant link is given what its distance needs, and about twice of that at most", () => {
  const { bytesPerMs, largest } = run(100_000, 50, 4_000, 4);
  assert.ok(bytesPerMs > 85_000, String(bytesPerMs));
  const product = 100_000 * 50;
  assert.ok(largest > product, String(largest));
  assert.ok(largest < 2.2 * product, String(largest));
});

Deno.test("whatever a link delivers, what is under way has an end", () => {
  const { underWay } = run(10_000_000, 100, 2_000, 4);
  assert.ok(underWay.limitBytes <= 64 * 1024 * kib, String(underWay.limitBytes));
});

Deno.test("a link that falls silent for a while goes on with nearly the bound that it had", () => {
  const { underWay } = run(100_000, 50, 4_000, 4);
  const before = underWay.limitBytes;
  for (let i = 0; i < 5; i++) underWay.answered({ bytes: 0, arrivedBefore: 0 }, 1e9, 50);
  assert.ok(underWay.limitBytes > 0.85 * before);
  for (let i = 0; i < 500; i++) underWay.answered({ bytes: 0, arrivedBefore: 0 }, 1e9, 50);
  assert.equal(underWay.limitBytes, 256 * kib);
});
