import assert from "node:assert/strict";
import { turns, VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { RateLimiter } from "./rate_limiter.ts";

const forever = new AbortController().signal;

function taken(limiter: RateLimiter, calls: number, signal: AbortSignal = forever): number[] {
  const order: number[] = [];
  for (let at = 0; at < calls; at++) limiter.turn(signal).then(() => order.push(at), () => {});
  return order;
}

Deno.test("a burst goes at once, the rest at its rate and in order", async () => {
  const clock = new VirtualClock();
  const order = taken(new RateLimiter(5, 10, clock), 15);
  await turns();
  assert.equal(order.length, 10);
  await clock.run(200);
  assert.equal(order.length, 11);
  await clock.run(800);
  assert.deepEqual(order, Array.from({ length: 15 }, (_, at) => at));
  assert.equal(clock.pending, 0);
});

Deno.test("a limiter is free while a call would have its turn at once, and asking it takes no token", async () => {
  const clock = new VirtualClock();
  const limiter = new RateLimiter(5, 2, clock);
  assert.ok(limiter.free && limiter.free);
  assert.equal(taken(limiter, 2).length, 0);
  assert.ok(!limiter.free, "the burst is spent");
  const third = taken(limiter, 1);
  await clock.run(200);
  assert.equal(third.length, 1);
  assert.ok(!limiter.free);
  await clock.run(200);
  assert.ok(limiter.free, "a token has come back");
});

Deno.test("tokens come back to the burst and not beyond", async () => {
  const clock = new VirtualClock();
  const limiter = new RateLimiter(5, 3, clock);
  const first = taken(limiter, 3);
  await clock.run(60_000);
  assert.equal(first.length, 3);
  const second = taken(limiter, 5);
  await turns();
  assert.equal(second.length, 3);
});

Deno.test("a call that is given up while it waits takes no turn and leaves no timer", async () => {
  const clock = new VirtualClock();
  const limiter = new RateLimiter(1, 1, clock);
  taken(limiter, 1);
  const given = new AbortController();
  const waiting = limiter.turn(given.signal);
  const next = taken(limiter, 1);
  given.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await clock.run(1_000);
  assert.equal(next.length, 1);
  assert.equal(limiter.waiting, 0);
  const alone = new AbortController();
  const last = limiter.turn(alone.signal);
  alone.abort(new Error("enough"));
  await assert.rejects(last, /enough/);
  assert.equal(clock.pending, 0);
  await assert.rejects(limiter.turn(alone.signal), /enough/);
});
