import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { readInTurns } from "../fair_reading.ts";
import { type GatedReader, ReadGate } from "./read_gate.ts";

/** A gate over memory that a test sets, with time that it turns. */
class Lab {
  held = 0;
  /** What a collection leaves of it. */
  live = 0;
  collections = 0;
  readonly waiting: (() => void)[] = [];
  readonly gate = new ReadGate({
    mostBytes: 100,
    heldBytes: () => this.held,
    collect: () => {
      this.collections++;
      this.held = this.live;
    },
    after: (_ms, step) => {
      this.waiting.push(step);
      return () => {
        const at = this.waiting.indexOf(step);
        if (at >= 0) this.waiting.splice(at, 1);
      };
    },
  });

  /** Time passes. */
  pass(): void {
    const step = this.waiting.shift();
    assert.ok(step !== undefined, "nothing waits");
    step();
  }
}

class Reader implements GatedReader {
  closed = false;
  gate(closed: boolean): void {
    this.closed = closed;
  }
}

Deno.test("a gate stays open while buffers fit, and while they do after a collection", () => {
  const lab = new Lab();
  const reader = new Reader();
  lab.gate.add(reader);
  lab.held = 100;
  lab.gate.judge();
  assert.equal(lab.collections, 0);
  lab.held = 101;
  lab.live = 100;
  lab.gate.judge();
  assert.equal(lab.collections, 1);
  assert.equal(reader.closed, false);
  assert.deepEqual(lab.waiting, []);
});

Deno.test("what is too much closes the gate for all, also for those that come, until it has become less", () => {
  const lab = new Lab();
  const [before, during] = [new Reader(), new Reader()];
  lab.gate.add(before);
  lab.held = lab.live = 101;
  lab.gate.judge();
  lab.gate.add(during);
  assert.deepEqual([before.closed, during.closed, lab.gate.closed], [true, true, true]);
  lab.pass();
  assert.ok(before.closed);
  lab.live = 100;
  lab.pass();
  assert.deepEqual([before.closed, during.closed, lab.gate.closed], [false, false, false]);
  assert.deepEqual(lab.waiting, []);
});

Deno.test("a gate opens after a moment although nothing has become less, so that nobody is held for ever", () => {
  const lab = new Lab();
  const reader = new Reader();
  lab.gate.add(reader);
  lab.held = lab.live = 101;
  lab.gate.judge();
  let moments = 0;
  while (lab.waiting.length > 0) {
    lab.pass();
    moments++;
  }
  assert.equal(moments, 3);
  assert.equal(reader.closed, false);
  lab.gate.judge();
  assert.ok(reader.closed);
});

Deno.test("a gate that is closed already is not judged again before its time, and forgets who has gone", () => {
  const lab = new Lab();
  const reader = new Reader();
  lab.gate.add(reader);
  lab.held = lab.live = 101;
  lab.gate.judge();
  lab.gate.judge();
  assert.equal(lab.collections, 1);
  assert.equal(lab.waiting.length, 1);
  lab.gate.delete(reader);
  lab.gate[Symbol.dispose]();
  assert.equal(reader.closed, true);
  assert.deepEqual(lab.waiting, []);
});

leakTest("a gated socket is not read, whatever its owner wishes, and has all its bytes and its end later", async () => {
  const bytes = 8 * 1024 * 1024;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(new Uint8Array(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let received = 0;
  let ended = false;
  let chunks = 0;
  const reader = readInTurns(socket, (chunk) => {
    received += chunk.length;
    if (++chunks !== 2) return;
    reader.gate(true);
    socket.pause();
    socket.resume();
  }, true);
  socket.on("end", () => ended = true);
  await until("two chunks have come", () => chunks >= 2);
  const before = socket.bytesRead;
  // A neighbour's whole exchange takes its time, in which the gated socket would have been read.
  for (let round = 0; round < 5; round++) {
    const neighbour = connect((server.address() as AddressInfo).port, "127.0.0.1");
    neighbour.resume();
    await once(neighbour, "end");
    neighbour.destroy();
    await once(neighbour, "close");
  }
  assert.equal(socket.bytesRead, before);
  assert.equal(ended, false);
  reader.gate(false);
  await until("it has come to its end", () => ended);
  assert.equal(received, bytes);
  socket.destroy();
  server.close();
  await once(server, "close");
});
