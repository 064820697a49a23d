import assert from "node:assert/strict";
import { EventQueue } from "./event_queue.ts";

function queueOf(events: number, chars = 1_000): EventQueue {
  return new EventQueue({ events, chars }, (count) => `<${count} lost>`);
}

/** Adds frames that are their own numbers. */
function pushAll(queue: EventQueue, from: number, to: number): void {
  for (let at = from; at <= to; at++) queue.push(`${at};`);
}

Deno.test("frames come out in order, in pieces of whole frames", () => {
  const queue = queueOf(100);
  pushAll(queue, 1, 5);
  assert.deepEqual([queue.size, queue.chars], [5, 10]);
  assert.equal(queue.take(5), "1;2;");
  assert.equal(queue.take(1), "3;", "one at least, however long");
  pushAll(queue, 6, 6);
  assert.equal(queue.take(Infinity), "4;5;6;");
  assert.deepEqual([queue.take(10), queue.size, queue.chars], ["", 0, 0]);
});

Deno.test("what comes to a full queue is lost and counted, and the count stands where it is missing", () => {
  const queue = queueOf(4);
  pushAll(queue, 1, 4);
  assert.equal(queue.full, false, "it takes as many as it may have");
  pushAll(queue, 5, 6);
  assert.equal(queue.full, true);
  queue.lose(10);
  assert.equal(queue.size, 4);
  assert.equal(queue.take(2), "1;");
  pushAll(queue, 7, 7);
  assert.equal(queue.full, true, "a gap lasts until half has gone, so that there are few of them");
  assert.equal(queue.take(2), "2;");
  assert.equal(queue.full, false);
  pushAll(queue, 8, 8);
  assert.equal(queue.take(Infinity), "3;4;<13 lost>8;");
});

Deno.test("the count of what is lost comes also where nothing follows", () => {
  const queue = queueOf(2);
  pushAll(queue, 1, 3);
  assert.equal(queue.take(Infinity), "1;2;");
  assert.equal(queue.take(Infinity), "<1 lost>");
  assert.equal(queue.take(Infinity), "");
});

Deno.test("long frames are bounded by their characters, and one that stands for several counts as several", () => {
  const queue = queueOf(1_000, 100);
  for (let at = 0; at < 10; at++) queue.push("x".repeat(40));
  assert.deepEqual([queue.size, queue.chars], [2, 80]);
  queue.push("<7 lost>", 7);
  assert.equal(queue.take(80), "x".repeat(80));
  assert.equal(queue.take(80), "<15 lost>");
});

Deno.test("nothing is kept of what was taken, however long a reader stays behind", () => {
  const queue = queueOf(4);
  let taken = "";
  for (let at = 0; at < 10_000; at++) {
    queue.push(`${at};`);
    taken += queue.take(1);
    assert.ok(queue.size <= 4);
  }
  assert.equal(taken, Array.from({ length: 10_000 }, (_, at) => `${at};`).join(""));
});
