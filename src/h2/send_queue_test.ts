import assert from "node:assert/strict";
import { concat } from "../../tests/support/memory/h2_peer.ts";
import { PieceWriter } from "./frames/piece_writer.ts";
import { SendQueue } from "./send_queue.ts";

const pattern = (length: number, from = 0) => Uint8Array.from({ length }, (_byte, at) => (from + at) * 31 + (at >> 8));

/** What the next bytes of the queue are written as. */
function written(queue: SendQueue, bytes: number): Uint8Array[] {
  const writer = new PieceWriter();
  writer.begin();
  queue.writeTo(writer, bytes);
  return writer.finish();
}

Deno.test("what is queued is written in its order, in whatever portions, and a large piece as the view that it is", () => {
  for (const portion of [1, 7, 1000, 2048, 5000]) {
    const queue = new SendQueue();
    const pieces = [pattern(10, 1), pattern(5000, 2), pattern(1, 3), pattern(3000, 4), pattern(2047, 5)];
    for (const piece of pieces) queue.push(piece, false);
    const all = concat(...pieces);
    assert.equal(queue.bytes, all.length);
    const out: Uint8Array[] = [];
    while (queue.bytes > 0) out.push(...written(queue, Math.min(portion, queue.bytes)));
    assert.deepEqual(concat(...out), all);
  }
  const queue = new SendQueue();
  const large = pattern(5000);
  queue.push(large, false);
  assert.equal(written(queue, 5000)[0], large);
});

Deno.test("small pieces on a full queue are copied together, each queue's bytes its own", () => {
  const queue = new SendQueue();
  const own = pattern(2047, 9);
  queue.push(pattern(3000, 1), false);
  queue.push(pattern(10, 2), true);
  const expected = [pattern(3000, 1), pattern(10, 2)];
  for (let at = 0; at < 30; at++) {
    queue.push(own, true);
    expected.push(pattern(2047, 9));
  }
  // A copy was made of all but the one behind a large piece.
  const all = concat(...expected);
  own.fill(0);
  const half = Math.floor(all.length / 2);
  const first = concat(...written(queue, half));
  queue.push(pattern(100, 7), true);
  const rest = concat(...written(queue, queue.bytes));
  assert.deepEqual(concat(first, rest), concat(all, pattern(100, 7)));
});

Deno.test("a queue that is not full copies nothing", () => {
  const queue = new SendQueue();
  const pieces = [pattern(10), pattern(10), pattern(10)];
  for (const piece of pieces) queue.push(piece, false);
  for (const piece of pieces) piece.fill(7);
  assert.deepEqual(concat(...written(queue, 30)), new Uint8Array(30).fill(7));
});

Deno.test("a queue that is cleared begins anew, in the middle of a piece and of a block too", () => {
  const queue = new SendQueue();
  for (let at = 0; at < 5; at++) queue.push(pattern(100, at), true);
  written(queue, 150);
  queue.clear();
  assert.equal(queue.bytes, 0);
  queue.push(pattern(200, 3), true);
  queue.push(pattern(100, 4), true);
  assert.equal(queue.bytes, 300);
  assert.deepEqual(concat(...written(queue, 300)), concat(pattern(200, 3), pattern(100, 4)));
});
