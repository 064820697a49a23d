import assert from "node:assert/strict";
import { mock } from "node:test";
import { MockedTime } from "../../tests/support/mocked_time.ts";
import { timeLimit, waitingLimits } from "./time_limit.ts";

Deno.test("limits of one length are reached in their order, each at its time", () => {
  using time = new MockedTime();
  const reached: string[] = [];
  timeLimit(20, () => reached.push("first"));
  time.pass(10);
  timeLimit(20, () => reached.push("second"));
  timeLimit(20, () => reached.push("third"));
  timeLimit(5, () => reached.push("shorter"));
  assert.equal(waitingLimits(), 4);
  time.pass(9);
  assert.deepEqual(reached, ["shorter"]);
  time.pass(1);
  assert.deepEqual(reached, ["shorter", "first"]);
  time.pass(9);
  assert.equal(reached.length, 2);
  time.pass(1);
  assert.deepEqual(reached, ["shorter", "first", "second", "third"]);
  assert.equal(waitingLimits(), 0);
});

Deno.test("a limit that is lifted is not reached, and those around it are", () => {
  using time = new MockedTime();
  const reached: string[] = [];
  timeLimit(20, () => reached.push("first"));
  const second = timeLimit(20, () => reached.push("second"));
  timeLimit(20, () => {
    reached.push("third");
    fourth.lift();
  });
  const fourth = timeLimit(20, () => reached.push("fourth"));
  timeLimit(20, () => reached.push("last"));
  second.lift();
  second.lift();
  time.pass(20);
  assert.deepEqual(reached, ["first", "third", "last"]);
});

Deno.test("a limit that begins while the timer of a lifted one still runs is reached at its own time", () => {
  using time = new MockedTime();
  let reached = false;
  timeLimit(30, () => assert.fail("it was lifted")).lift();
  time.pass(20);
  timeLimit(30, () => reached = true);
  time.pass(29);
  assert.equal(reached, false);
  time.pass(1);
  assert.equal(reached, true);
});

Deno.test("a limit may begin where another is reached, and one that throws keeps no other from being reached", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const thrown = Promise.withResolvers<void>();
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    thrown.resolve();
  };
  globalThis.addEventListener("error", onError);
  try {
    timeLimit(10, () => {
      timeLimit(10, resolve);
      throw new Error("as a broken callback would");
    });
    await thrown.promise;
    await promise;
  } finally {
    globalThis.removeEventListener("error", onError);
  }
});

Deno.test("a limit that is longer than the runtime's timers can be is reached at its time all the same", () => {
  using time = new MockedTime();
  const set = mock.method(globalThis, "setTimeout");
  const ms = 2 ** 31 + 10;
  let reached = false;
  timeLimit(ms, () => reached = true);
  assert.deepEqual(set.mock.calls.map((call) => call.arguments[1]), [2 ** 31 - 1]);
  time.leap(2 ** 31 - 1);
  assert.equal(reached, false);
  assert.equal(set.mock.calls.at(-1)?.arguments[1], 11);
  time.pass(11);
  assert.equal(reached, true);
});

Deno.test("a limit keeps a program alive, one that is lifted does not", async () => {
  const module = new URL("./time_limit.ts", import.meta.url);
  const program = `
    const { timeLimit } = await import(${JSON.stringify(module.href)});
    timeLimit(3_600_000, () => {}).lift();
    timeLimit(3_600_000, () => {}).lift();
    timeLimit(20, () => console.log("reached"));`;
  const run = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", program] });
  const { code, stdout } = await run.output();
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, "reached\n"]);
});
