import assert from "node:assert/strict";
import { type LogDestination, LogQueue } from "./log_queue.ts";

/** Takes what it is given when it is told to. */
class Gate implements LogDestination {
  text = "";
  writes = 0;
  /** Bytes that one write takes at most. */
  most = Infinity;
  failure: Error | undefined;
  #open = Promise.withResolvers<void>();

  open(): void {
    this.#open.resolve();
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#open.promise;
    return this.writeSync(bytes);
  }

  writeSync(bytes: Uint8Array): number {
    if (this.failure !== undefined) throw this.failure;
    this.writes++;
    const taken = bytes.subarray(0, Math.min(bytes.length, this.most));
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

const dropped = (count: number) => `dropped ${count}\n`;

Deno.test("lines come out in order, and those of one turn in one write", async () => {
  const gate = new Gate();
  gate.open();
  const queue = new LogQueue(gate, dropped);
  for (let line = 0; line < 100; line++) queue.push(`${line}\n`);
  await queue.flush();
  assert.equal(gate.text, Array.from({ length: 100 }, (_, line) => `${line}\n`).join(""));
  assert.equal(gate.writes, 1);
});

Deno.test("lines stay in order when a write takes only a part and more come meanwhile", async () => {
  const gate = new Gate();
  gate.most = 3;
  const queue = new LogQueue(gate, dropped);
  queue.push("first\n");
  await Promise.resolve();
  queue.push("second\n");
  gate.open();
  await queue.flush();
  queue.push("third\n");
  await queue.flush();
  assert.equal(gate.text, "first\nsecond\nthird\n");
});

Deno.test("a reader that has stalled blocks nobody; lines past the bound are dropped and counted", async () => {
  const gate = new Gate();
  const queue = new LogQueue(gate, dropped, { limitChars: 20 });
  queue.push("in flight\n");
  await Promise.resolve();
  await Promise.resolve();
  for (let line = 0; line < 10; line++) queue.push(`line ${line}\n`);
  gate.open();
  await queue.flush();
  assert.equal(gate.text, "in flight\nline 0\nline 1\ndropped 8\n");
  queue.push("again\n");
  await queue.flush();
  assert.ok(gate.text.endsWith("dropped 8\nagain\n"));
});

Deno.test("flush does not wait for ever for a destination that takes nothing", async () => {
  const gate = new Gate();
  const queue = new LogQueue(gate, dropped);
  queue.push("never\n");
  await queue.flush();
  queue.flushSync();
  assert.equal(gate.text, "");
  gate.open();
  await queue.flush();
});

Deno.test("a destination that fails is tried again after a while, and what was lost meanwhile is counted", async () => {
  const gate = new Gate();
  gate.open();
  gate.failure = new Error("no space left on device");
  let now = 0;
  const failures: unknown[] = [];
  const queue = new LogQueue(gate, dropped, { now: () => now, onFailure: (error) => failures.push(error) });
  queue.push("lost\n");
  await queue.flush();
  queue.push("lost in its rest\n");
  await queue.flush();
  now = 5_000;
  queue.push("lost again\n");
  await queue.flush();
  gate.failure = undefined;
  queue.push("lost in its second rest\n");
  await queue.flush();
  queue.flushSync();
  assert.equal(gate.text, "");
  now = 10_000;
  queue.push("there is room again\n");
  await queue.flush();
  queue.push("goes on\n");
  await queue.flush();
  assert.equal(gate.text, "there is room again\ndropped 4\ngoes on\n");
  assert.equal(failures.length, 1, "one outage is told once");
});

Deno.test("what follows a line that was cut by a failure begins a line of its own", async () => {
  let text = "";
  let room = 3;
  const writeSync = (bytes: Uint8Array) => {
    if (room === 0) throw new Error("no space left on device");
    const taken = bytes.subarray(0, room);
    room -= taken.length;
    text += new TextDecoder().decode(taken);
    return taken.length;
  };
  let now = 0;
  const queue = new LogQueue(
    { writeSync, write: async (bytes) => await writeSync(bytes) },
    dropped,
    { now: () => now },
  );
  queue.push("half a line\n");
  await queue.flush();
  room = 1_000;
  now = 5_000;
  queue.push("whole\n");
  await queue.flush();
  assert.equal(text, "hal\nwhole\ndropped 1\n");
});

Deno.test("flushSync writes what waits at once", () => {
  const gate = new Gate();
  gate.most = 2;
  const queue = new LogQueue(gate, dropped);
  queue.push("last words\n");
  queue.flushSync();
  assert.equal(gate.text, "last words\n");
});
