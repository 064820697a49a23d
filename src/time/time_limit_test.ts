import assert from "node:assert/strict";
import { until } from "../../tests/support/until.ts";
import { timeLimit } from "./time_limit.ts";

Deno.test("limits of one length are reached in their order, each not before its time", async () => {
  const reached: string[] = [];
  const begin = (name: string, ms: number) => {
    const since = performance.now();
    timeLimit(ms, () => reached.push(performance.now() - since >= ms ? name : `${name} too early`));
  };
  begin("first", 20);
  await new Promise((resolve) => setTimeout(resolve, 10));
  begin("second", 20);
  begin("third", 20);
  await until("all are reached", () => reached.length === 3);
  assert.deepEqual(reached, ["first", "second", "third"]);
});

Deno.test("a limit that is lifted is not reached, and those around it are", async () => {
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
  await until("the last is reached", () => reached.includes("last"));
  assert.deepEqual(reached, ["first", "third", "last"]);
});

Deno.test("a limit that begins while the timer of a lifted one still runs is reached at its own time", async () => {
  timeLimit(30, () => assert.fail("it was lifted")).lift();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const since = performance.now();
  const tookMs = await new Promise<number>((resolve) => timeLimit(30, () => resolve(performance.now() - since)));
  assert.ok(tookMs >= 30, String(tookMs));
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

Deno.test("a lifted limit keeps no program alive", async () => {
  const module = new URL("./time_limit.ts", import.meta.url);
  const program = `
    const { timeLimit } = await import(${JSON.stringify(module.href)});
    timeLimit(3_600_000, () => {}).lift();
    const kept = timeLimit(3_600_001, () => {});
    kept.lift();
    timeLimit(20, () => console.log("reached"));`;
  const run = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", program] });
  const { code, stdout } = await run.output();
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, "reached\n"]);
});
