import assert from "node:assert/strict";
import { UnderWay } from "./under_way.ts";

const kib = 1024;

/** A link of a given speed and distance, in simulated time, with a sender that always has data. @param talkEveryMs 0: never */
function run(bytesPerMs: number, roundTripMs: number, forMs: number, talkEveryMs: number) {
  const at = { now: 0 };
  const underWay = new UnderWay(() => at.now);
  const answers: { at: number; bytes: number }[] = [];
  let arrived = 0;
  let largest = 0;
  let sent = 0;
  /** When the link has passed on everything that was sent. */
  let linkFreeAt = 0;
  const send = (bytes: number) => {
    sent += bytes;
    linkFreeAt = Math.max(linkFreeAt, at.now) + bytes / bytesPerMs;
    if (underWay.sent(bytes)) answers.push({ at: linkFreeAt + roundTripMs, bytes: underWay.mark() });
  };
  let talked = 0;
  for (; at.now < forMs; at.now += 0.05) {
    for (let answer = answers[0]; answer !== undefined && answer.at <= at.now; answer = answers[0]) {
      answers.shift();
      arrived += answer.bytes;
      underWay.answered(answer.bytes, roundTripMs);
    }
    if (talkEveryMs > 0 && at.now - talked > talkEveryMs) {
      talked = at.now;
      underWay.talk(250);
      send(100);
    }
    while (!underWay.full) send(64 * kib);
    if (at.now > forMs / 2) largest = Math.max(largest, sent - arrived);
  }
  const delivered = arrived / forMs;
  // What is left arrives, and nothing is under way.
  for (const answer of answers) {
    at.now = answer.at;
    underWay.answered(answer.bytes, roundTripMs);
  }
  underWay.answered(underWay.mark(), roundTripMs);
  return { bytesPerMs: delivered, largest, underWay, at };
}

Deno.test("a near link that somebody talks over runs full with an eighth of a megabyte under way", () => {
  const { bytesPerMs, largest } = run(600_000, 0.15, 400, 4);
  assert.ok(bytesPerMs > 500_000, String(bytesPerMs));
  assert.ok(largest <= 272 * kib, String(largest));
});

Deno.test("where nobody talks two megabytes may be under way", () => {
  const { largest } = run(600_000, 0.15, 400, 0);
  assert.ok(largest > 1.9 * 1024 * kib && largest < 2.2 * 1024 * kib, String(largest));
});

Deno.test("less is under way from when somebody talks for as long as it was said that they may go on", () => {
  let now = 1000;
  const underWay = new UnderWay(() => now);
  assert.equal(underWay.limitBytes, 2 * 1024 * kib);
  underWay.talk(250);
  underWay.talk(50);
  assert.equal(underWay.limitBytes, 128 * kib);
  now += 240;
  underWay.mark();
  assert.equal(underWay.limitBytes, 128 * kib);
  now += 11;
  underWay.mark();
  assert.equal(underWay.limitBytes, 2 * 1024 * kib);
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

Deno.test("a link that falls silent, or has little to send, goes on with the bound that it had", () => {
  const { underWay, at } = run(100_000, 50, 4_000, 4);
  const before = underWay.limitBytes;
  for (let i = 0; i < 100; i++) {
    at.now += 500;
    underWay.sent(32 * kib);
    at.now += 50;
    underWay.answered(underWay.mark(), 50);
  }
  underWay.talk(250);
  assert.equal(underWay.limitBytes, before);
});

Deno.test("a link that has become slow is given less again, a little at a time", () => {
  const { underWay, at } = run(100_000, 50, 4_000, 4);
  const before = underWay.limitBytes;
  const slowRound = () => {
    while (!underWay.full) underWay.sent(32 * kib);
    at.now += 1_000;
    underWay.answered(underWay.mark(), 50);
  };
  slowRound();
  assert.ok(underWay.limitBytes > 0.85 * before, String(underWay.limitBytes));
  for (let i = 0; i < 100; i++) slowRound();
  assert.equal(underWay.limitBytes, 2 * 1024 * kib);
});

Deno.test("answers that come in bursts do not look like a faster link", () => {
  let now = 0;
  const underWay = new UnderWay(() => now);
  for (let i = 0; i < 1000; i++) {
    underWay.talk(250);
    const marks: number[] = [];
    while (!underWay.full) if (underWay.sent(32 * kib)) marks.push(underWay.mark());
    // A busy peer answers all of them at once.
    now += 3;
    for (const bytes of marks) underWay.answered(bytes, 0.15);
  }
  assert.equal(underWay.limitBytes, 128 * kib);
});
