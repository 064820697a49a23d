import assert from "node:assert/strict";
import { InFlightLimiter } from "./in_flight.ts";

const kib = 1024;

/**
 * A link of a given speed and distance, in simulated time, with a sender that always has data.
 * @param interactiveEveryMs 0: never
 * @param stallMs for how long in each 40 ms the peer has no processor time to answer
 */
function run(bytesPerMs: number, roundTripMs: number, forMs: number, interactiveEveryMs: number, stallMs = 0) {
  const at = { now: 0 };
  const inFlight = new InFlightLimiter(() => at.now);
  const answers: { at: number; bytes: number; since: number }[] = [];
  let arrived = 0;
  let largest = 0;
  let sent = 0;
  /** When the link has passed on everything that was sent. */
  let linkFreeAt = 0;
  const send = (bytes: number) => {
    sent += bytes;
    linkFreeAt = Math.max(linkFreeAt, at.now) + bytes / bytesPerMs;
    if (inFlight.sent(bytes)) {
      const due = linkFreeAt + roundTripMs;
      answers.push({ at: due + Math.max(0, stallMs - due % 40), bytes: inFlight.probe(), since: at.now });
    }
  };
  let lastInteractive = 0;
  for (; at.now < forMs; at.now += 0.05) {
    for (let answer = answers[0]; answer !== undefined && answer.at <= at.now; answer = answers[0]) {
      answers.shift();
      arrived += answer.bytes;
      inFlight.answered(answer.bytes, roundTripMs, at.now - answer.since);
    }
    if (interactiveEveryMs > 0 && at.now - lastInteractive > interactiveEveryMs) {
      lastInteractive = at.now;
      inFlight.favourInteractive(250);
      send(100);
    }
    while (!inFlight.full) send(64 * kib);
    if (at.now > forMs / 2) largest = Math.max(largest, sent - arrived);
  }
  const delivered = arrived / forMs;
  // What remains arrives, and nothing is in flight.
  for (const answer of answers) {
    at.now = answer.at;
    inFlight.answered(answer.bytes, roundTripMs, at.now - answer.since);
  }
  inFlight.answered(inFlight.probe(), roundTripMs, roundTripMs);
  return { bytesPerMs: delivered, largest, inFlight, at };
}

Deno.test("a near link with an interactive tunnel runs full with an eighth of a megabyte in flight", () => {
  const { bytesPerMs, largest } = run(600_000, 0.15, 400, 4);
  assert.ok(bytesPerMs > 500_000, String(bytesPerMs));
  assert.ok(largest <= 272 * kib, String(largest));
});

Deno.test("where no tunnel is interactive two megabytes may be in flight", () => {
  const { largest } = run(600_000, 0.15, 400, 0);
  assert.ok(largest > 1.9 * 1024 * kib && largest < 2.2 * 1024 * kib, String(largest));
});

Deno.test("less is in flight from when a tunnel is interactive, for as long as it may be", () => {
  let now = 1000;
  const inFlight = new InFlightLimiter(() => now);
  assert.equal(inFlight.limitBytes, 2 * 1024 * kib);
  inFlight.favourInteractive(250);
  inFlight.favourInteractive(50);
  assert.equal(inFlight.limitBytes, 128 * kib);
  now += 240;
  inFlight.probe();
  assert.equal(inFlight.limitBytes, 128 * kib);
  now += 11;
  inFlight.probe();
  assert.equal(inFlight.limitBytes, 2 * 1024 * kib);
});

Deno.test("a distant link with an interactive tunnel runs full, with no more on the way than makes it wait some milliseconds", () => {
  const { bytesPerMs, largest } = run(100_000, 50, 4_000, 4);
  assert.ok(bytesPerMs > 90_000, String(bytesPerMs));
  const product = 100_000 * 50;
  assert.ok(largest > product, String(largest));
  // Four milliseconds, an eighth by which the bound tries for more, and what is written at once.
  assert.ok(largest < 1.125 * (product + 100_000 * 4) + 128 * kib, String(largest));
});

Deno.test("a distant link with an interactive tunnel runs full though many answers are late for want of processor time", () => {
  const { bytesPerMs } = run(100_000, 50, 4_000, 4, 20);
  assert.ok(bytesPerMs > 80_000, String(bytesPerMs));
});

Deno.test("a distant link without an interactive tunnel runs full soon, with twice of what its distance needs", () => {
  const early = run(100_000, 50, 500, 0);
  assert.ok(early.bytesPerMs > 70_000, String(early.bytesPerMs));
  const { largest } = run(100_000, 50, 4_000, 0);
  const product = 100_000 * 50;
  assert.ok(largest > 1.9 * product && largest < 2.2 * product, String(largest));
});

Deno.test("whatever a link delivers, what is in flight is bounded", () => {
  const { inFlight } = run(10_000_000, 100, 2_000, 4);
  assert.ok(inFlight.limitBytes <= 64 * 1024 * kib, String(inFlight.limitBytes));
});

Deno.test("a link that falls silent, or has little to send, goes on with the bound that it had", () => {
  const { inFlight, at } = run(100_000, 50, 4_000, 4);
  const before = inFlight.limitBytes;
  for (let i = 0; i < 100; i++) {
    at.now += 500;
    inFlight.sent(32 * kib);
    at.now += 50;
    inFlight.answered(inFlight.probe(), 50, 50);
  }
  inFlight.favourInteractive(250);
  assert.ok(Math.abs(inFlight.limitBytes / before - 1) < 0.05, `${inFlight.limitBytes} instead of ${before}`);
});

Deno.test("a link that has become slow is given less again, a little at a time", () => {
  const { inFlight, at } = run(100_000, 50, 4_000, 4);
  const before = inFlight.limitBytes;
  const slowRound = () => {
    while (!inFlight.full) inFlight.sent(32 * kib);
    at.now += 1_000;
    inFlight.answered(inFlight.probe(), 50, 50);
  };
  slowRound();
  assert.ok(inFlight.limitBytes > 0.85 * before, String(inFlight.limitBytes));
  for (let i = 0; i < 100; i++) slowRound();
  assert.equal(inFlight.limitBytes, 2 * 1024 * kib);
});

Deno.test("answers that come in bursts do not look like a faster link", () => {
  let now = 0;
  const inFlight = new InFlightLimiter(() => now);
  for (let i = 0; i < 1000; i++) {
    inFlight.favourInteractive(250);
    const probes: number[] = [];
    while (!inFlight.full) if (inFlight.sent(32 * kib)) probes.push(inFlight.probe());
    // A busy peer answers all of them at once.
    now += 3;
    for (const bytes of probes) inFlight.answered(bytes, 0.15, 3);
  }
  assert.equal(inFlight.limitBytes, 128 * kib);
});
