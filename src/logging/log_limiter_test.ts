import type { LogLevel, LogRecord } from "@logtape/logtape";
import assert from "node:assert/strict";
import { debugBudget, kindBudget, LogLimiter, type Schedule, sweepIntervalMs } from "./log_limiter.ts";
import { logMessage } from "./log_values.ts";

/** A clock that moves when told to. */
class Clock {
  #now = 0;
  #due: { at: number; run: () => void }[] = [];

  readonly schedule: Schedule = (run, delayMs) => {
    const entry = { at: this.#now + delayMs, run };
    this.#due.push(entry);
    return () => this.#due = this.#due.filter((other) => other !== entry);
  };

  pass(ms: number): void {
    this.#now += ms;
    const due = this.#due.filter(({ at }) => at <= this.#now);
    this.#due = this.#due.filter(({ at }) => at > this.#now);
    for (const { run } of due) run();
  }

  readonly now = () => this.#now;

  get pending(): number {
    return this.#due.length;
  }
}

function record(agent: string, level: LogLevel = "warning"): LogRecord {
  return {
    category: ["server", "agents"],
    level,
    message: ["refused agent ", agent, ""],
    rawMessage: "refused agent {agent}",
    timestamp: 0,
    properties: { agent },
  };
}

function limited(): { limiter: LogLimiter; clock: Clock; lines: string[] } {
  const clock = new Clock();
  const lines: string[] = [];
  const limiter = new LogLimiter((emitted) => lines.push(logMessage(emitted)), clock.schedule, clock.now);
  return { limiter, clock, lines };
}

Deno.test("an agent refused every second is logged at once and then once a minute, with the count", () => {
  const { limiter, clock, lines } = limited();
  for (let second = 0; second < 150; second++) {
    limiter.log(record("a"));
    clock.pass(1_000);
  }
  assert.deepEqual(lines, [
    "refused agent a",
    "refused agent a (59 more like this in the last 60 s)",
    "refused agent a (60 more like this in the last 60 s)",
  ]);
  clock.pass(60_000);
  for (let i = 0; i < 20; i++) clock.pass(sweepIntervalMs);
  assert.deepEqual(lines.slice(3), ["refused agent a (30 more like this in the last 60 s)"]);
  assert.equal(clock.pending, 0, "nothing is kept of what has ended");
});

Deno.test("different messages do not hide one another", () => {
  const { limiter, lines } = limited();
  for (const agent of ["a", "b", "a", "c"]) limiter.log(record(agent));
  limiter.log(record("a", "error"));
  assert.deepEqual(lines, ["refused agent a", "refused agent b", "refused agent c", "refused agent a"]);
});

Deno.test("what is no warning is written three times in ten seconds, and told in one line then", () => {
  const { limiter, clock, lines } = limited();
  for (let i = 0; i < 1_000; i++) limiter.log(record("a", "info"));
  limiter.log(record("b", "info"));
  clock.pass(sweepIntervalMs);
  assert.deepEqual(lines, [
    ...Array.from({ length: 3 }, () => "refused agent a"),
    "refused agent b",
    "refused agent a (997 more like this in the last 10 s)",
  ]);
});

Deno.test("one who comes and goes does not hide others of the kind", () => {
  const { limiter, lines } = limited();
  for (let i = 0; i < 100_000; i++) limiter.log(record("a", "info"));
  for (let agent = 0; agent < 100; agent++) limiter.log(record(`honest ${agent}`, "info"));
  assert.equal(lines.length, 103);
});

for (const [level, budget] of [["info", kindBudget], ["warning", kindBudget], ["debug", debugBudget]] as const) {
  Deno.test(`a flood of ever new messages of level ${level} is limited by its kind, and memory stays bounded`, () => {
    const { limiter, clock, lines } = limited();
    for (let agent = 0; agent < 5_000; agent++) limiter.log(record(`a${agent}`, level));
    assert.equal(lines.length, budget.burst);
    assert.equal(clock.pending, 1);
    clock.pass(sweepIntervalMs);
    const rest = 5_000 - budget.burst;
    assert.equal(lines.at(-1), `refused agent a4999 (${rest} more like this in the last 10 s)`);
    const before = lines.length;
    for (let second = 0; second < 100; second++) {
      for (let agent = 0; agent < 1_000; agent++) limiter.log(record(`b${second} ${agent}`, level));
      clock.pass(1_000);
    }
    const perSecond = (lines.length - before) / 100;
    assert.ok(perSecond <= budget.perSecond * 1.2, `${perSecond} lines a second`);
    limiter.flush();
    assert.equal(clock.pending, 0);
  });
}

Deno.test("a flood of ever new kinds is bounded, and the last word of a process is always written", () => {
  const { limiter, lines } = limited();
  for (let i = 0; i < 100_000; i++) {
    limiter.log({ ...record("a", "info"), rawMessage: `text ${i}`, message: [`text ${i}`] });
  }
  assert.ok(lines.length <= 1_000 + kindBudget.burst, `${lines.length} lines`);
  const before = lines.length;
  for (let i = 0; i < 10; i++) limiter.log(record("a", "fatal"));
  assert.equal(lines.length, before + 10);
});

Deno.test("what was held back is told at the end", () => {
  const { limiter, lines } = limited();
  for (let i = 0; i < 5; i++) limiter.log(record("old"));
  limiter.flush();
  assert.deepEqual(lines, ["refused agent old", "refused agent old (4 more like this since)"]);
});
