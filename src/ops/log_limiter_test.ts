import type { LogLevel, LogRecord } from "@logtape/logtape";
import assert from "node:assert/strict";
import { LogLimiter, repeatIntervalMs, type Schedule } from "./log_limiter.ts";
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
  const limiter = new LogLimiter((emitted) => {
    const { repeated } = emitted.properties;
    lines.push(logMessage(emitted) + (repeated === undefined ? "" : ` (${repeated} more)`));
  }, clock.schedule);
  return { limiter, clock, lines };
}

Deno.test("an agent refused every second is logged at once and then once an interval, with the count", () => {
  const { limiter, clock, lines } = limited();
  for (let second = 0; second < 150; second++) {
    limiter.log(record("a"));
    clock.pass(1_000);
  }
  assert.deepEqual(lines, ["refused agent a", "refused agent a (59 more)", "refused agent a (60 more)"]);
  clock.pass(repeatIntervalMs);
  assert.deepEqual(lines.slice(3), ["refused agent a (30 more)"]);
  clock.pass(repeatIntervalMs);
  assert.equal(lines.length, 4);
  assert.equal(clock.pending, 0);
});

Deno.test("different messages do not hide one another", () => {
  const { limiter, lines } = limited();
  for (const agent of ["a", "b", "a", "c"]) limiter.log(record(agent));
  limiter.log(record("a", "error"));
  assert.deepEqual(lines, ["refused agent a", "refused agent b", "refused agent c", "refused agent a"]);
});

Deno.test("only warnings and errors are limited", () => {
  const { limiter, clock, lines } = limited();
  for (const level of ["info", "info", "debug", "fatal", "fatal"] as const) limiter.log(record("a", level));
  assert.equal(lines.length, 5);
  assert.equal(clock.pending, 0);
});

Deno.test("a flood of ever new messages is limited by template, and memory stays bounded", () => {
  const { limiter, clock, lines } = limited();
  for (let agent = 0; agent < 5_000; agent++) limiter.log(record(`a${agent}`));
  assert.equal(lines.length, 1_001);
  assert.equal(clock.pending, 1_001);
  limiter.flush();
  assert.equal(lines.at(-1), "refused agent a4999 (3999 more)");
  assert.equal(clock.pending, 0);
});
