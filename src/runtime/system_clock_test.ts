import assert from "node:assert/strict";
import { mock } from "node:test";
import { ownerOf } from "../faults/owned.ts";
import { SystemClock } from "./system_clock.ts";

const owner = ownerOf("timer");

/** Longest step in which time passes: what happens between two steps happens at the end of the first. */
const stepMs = 1000;

/** A clock on a runtime whose time stands still until the test lets it pass. */
class StillRuntime implements Disposable {
  readonly clock: SystemClock;
  // Whole, so that steps add up exactly.
  #now = 1_000;

  constructor() {
    mock.timers.enable({ apis: ["setTimeout"] });
    mock.method(performance, "now", () => this.#now);
    this.clock = new SystemClock();
  }

  pass(ms: number): void {
    for (let remaining = ms; remaining > 0; remaining -= stepMs) this.leap(Math.min(remaining, stepMs));
  }

  /** One step, however long. */
  leap(ms: number): void {
    this.#now += ms;
    mock.timers.tick(ms);
  }

  /** Time goes by while a callback is at work. */
  work(ms: number): void {
    this.#now += ms;
  }

  [Symbol.dispose](): void {
    // In this order: what the test has put over the runtime's timers goes before them.
    mock.restoreAll();
    mock.timers.reset();
  }
}

Deno.test("deadlines of one length fire in their order, each at its time", () => {
  using runtime = new StillRuntime();
  const { clock } = runtime;
  const fired: string[] = [];
  const after = (ms: number, name: string) => clock.after(ms, () => fired.push(name), owner);
  after(20, "first");
  runtime.pass(10);
  after(20, "second");
  after(20, "third");
  after(5, "shorter");
  assert.equal(clock.pending, 4);
  runtime.pass(9);
  assert.deepEqual(fired, ["shorter"]);
  runtime.pass(1);
  assert.deepEqual(fired, ["shorter", "first"]);
  runtime.pass(9);
  assert.equal(fired.length, 2);
  runtime.pass(1);
  assert.deepEqual(fired, ["shorter", "first", "second", "third"]);
  assert.deepEqual([clock.pending, clock.lengths], [0, 0]);
});

Deno.test("a deadline that is cancelled does not fire, and those around it do", () => {
  using runtime = new StillRuntime();
  const fired: string[] = [];
  const after = (name: string) => runtime.clock.after(20, () => fired.push(name), owner);
  after("first");
  const second = after("second");
  runtime.clock.after(20, () => {
    fired.push("third");
    fourth.cancel();
  }, owner);
  const fourth = after("fourth");
  after("last");
  second.cancel();
  second.cancel();
  runtime.pass(20);
  assert.deepEqual(fired, ["first", "third", "last"]);
});

Deno.test("a deadline that begins while the timer of a cancelled one still runs fires at its own time", () => {
  using runtime = new StillRuntime();
  let fired = false;
  runtime.clock.after(30, () => assert.fail("it was cancelled"), owner).cancel();
  runtime.pass(20);
  runtime.clock.after(30, () => fired = true, owner);
  runtime.pass(29);
  assert.equal(fired, false);
  runtime.pass(1);
  assert.equal(fired, true);
});

Deno.test("lengths that come once keep few timers, and those that come again share one", () => {
  using runtime = new StillRuntime();
  const set = mock.method(globalThis, "setTimeout");
  for (let ms = 1_000_000; ms < 1_001_000; ms++) {
    runtime.clock.after(5_000, () => assert.fail("it was cancelled"), owner).cancel();
    runtime.clock.after(ms, () => assert.fail("it was cancelled"), owner).cancel();
  }
  assert.equal(set.mock.calls.filter(({ arguments: [, ms] }) => ms === 5_000).length, 1);
  assert.equal(runtime.clock.lengths, 64);
  assert.equal(runtime.clock.pending, 0);
  let fired = 0;
  runtime.clock.after(1_000_999, () => fired++, owner);
  runtime.clock.after(1_000_000, () => fired++, owner);
  runtime.pass(1_000_998);
  assert.equal(fired, 1);
  runtime.pass(1);
  assert.equal(fired, 2);
  assert.equal(runtime.clock.lengths, 0);
});

Deno.test("a callback may cancel all that is pending and begin anew, however many lengths there are", () => {
  using runtime = new StillRuntime();
  const { clock } = runtime;
  const fired: string[] = [];
  clock.after(10, () => {
    last.cancel();
    for (let ms = 1_000; ms < 1_100; ms++) clock.after(ms, () => {}, owner).cancel();
    clock.after(10, () => fired.push("anew"), owner);
    clock.after(10, () => {}, owner).cancel();
  }, owner);
  const last = clock.after(10, () => fired.push("last"), owner);
  runtime.pass(10);
  assert.deepEqual(fired, []);
  runtime.pass(10);
  assert.deepEqual(fired, ["anew"]);
  assert.equal(clock.pending, 0);
});

Deno.test("deadlines of one length fire together where they are due within a hundredth of it, never early and none later", () => {
  using runtime = new StillRuntime();
  const { clock } = runtime;
  const lateMs: number[] = [];
  let now = 0;
  // As the keepalives of 1,000 links, which began within 5 s.
  for (let count = 0; count < 1_000; count++) {
    const due = now + 5_000;
    clock.after(5_000, () => lateMs.push(now - due), owner);
    now += 5;
    runtime.pass(5);
  }
  const set = mock.method(globalThis, "setTimeout");
  while (lateMs.length < 1_000 && now < 11_000) {
    now++;
    runtime.pass(1);
  }
  assert.equal(lateMs.length, 1_000);
  assert.ok(lateMs.every((late) => late >= 0 && late <= 51), `${Math.min(...lateMs)} to ${Math.max(...lateMs)} ms`);
  assert.ok(set.mock.callCount() <= 101, `${set.mock.callCount()} timers`);
});

Deno.test("a deadline may begin where another fires, and one that throws ends its owner and keeps no other back", async () => {
  const clock = new SystemClock();
  const { promise, resolve } = Promise.withResolvers<void>();
  const ended: string[] = [];
  const broken = ownerOf("timer", (error) => void ended.push(error.message));
  clock.after(10, () => {
    clock.after(10, resolve, owner);
    throw new Error("as a broken callback would");
  }, broken);
  clock.after(10, () => ended.push("the next one"), broken);
  await promise;
  assert.deepEqual(ended, ["as a broken callback would", "the next one"]);
});

Deno.test("a deadline that is later than the runtime's timers can be fires at its time all the same", () => {
  using runtime = new StillRuntime();
  const set = mock.method(globalThis, "setTimeout");
  const ms = 2 ** 31 + 10;
  let fired = false;
  runtime.clock.after(ms, () => fired = true, owner);
  assert.deepEqual(set.mock.calls.map((call) => call.arguments[1]), [2 ** 31 - 1]);
  runtime.leap(2 ** 31 - 1);
  assert.equal(fired, false);
  assert.equal(set.mock.calls.at(-1)?.arguments[1], 11);
  runtime.pass(11);
  assert.equal(fired, true);
});

Deno.test("a deadline keeps a program alive, one that is cancelled does not", async () => {
  const module = new URL("./system_clock.ts", import.meta.url);
  const program = `
    const { systemClock } = await import(${JSON.stringify(module.href)});
    const owner = { place: "timer", faulted() {} };
    systemClock.after(3_600_000, () => {}, owner).cancel();
    systemClock.after(3_600_000, () => {}, owner).cancel();
    systemClock.after(20, () => console.log("fired"), owner);`;
  const run = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", program] });
  const { code, stdout } = await run.output();
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, "fired\n"]);
});

Deno.test("deadlines that are due together let others have their turn every few milliseconds, and are apart from then on", () => {
  using runtime = new StillRuntime();
  const { clock } = runtime;
  let fired = 0;
  // The pings of 100 links which began together, of which each takes a millisecond.
  const ping = () => {
    fired++;
    runtime.work(1);
    clock.after(10_000, ping, owner);
  };
  for (let count = 0; count < 100; count++) clock.after(10_000, ping, owner);
  const atOnce: number[] = [];
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      const before = fired;
      runtime.pass(1);
      if (fired > before) atOnce.push(fired - before);
    }
  };
  pass(10_300);
  assert.equal(fired, 100);
  assert.ok(Math.max(...atOnce) <= 4, `${Math.max(...atOnce)} at once`);
  pass(10_300);
  assert.equal(fired, 200);
  assert.ok(Math.max(...atOnce) <= 4, `${Math.max(...atOnce)} at once`);
});
