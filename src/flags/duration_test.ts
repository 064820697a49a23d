import assert from "node:assert/strict";
import { formatDuration, parseDuration, timerMs } from "./duration.ts";
import { FlagValueError } from "./flag_error.ts";

Deno.test("a duration is read in Go's syntax", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["+0", 0],
    ["1h", 3_600_000],
    ["1m30s", 90_000],
    ["100ms", 100],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["5.s", 5_000],
    ["-1s", -1_000],
    ["+5s", 5_000],
    ["1h2m3.5s", 3_723_500],
    ["2us", 0.002],
    ["2µs", 0.002],
    ["1500ns", 0.0015],
  ];
  for (const [text, milliseconds] of cases) assert.equal(parseDuration(text), milliseconds, text);
});

Deno.test("what is no duration is refused in Go's words", () => {
  const cases: [string, string][] = [
    ["", 'time: invalid duration ""'],
    ["-", 'time: invalid duration "-"'],
    [".", 'time: invalid duration "."'],
    ["5", 'time: missing unit in duration "5"'],
    ["1h1", 'time: missing unit in duration "1h1"'],
    ["1.5.5s", 'time: missing unit in duration "1.5.5s"'],
    ["1x", 'time: unknown unit "x" in duration "1x"'],
    ["1sx", 'time: unknown unit "sx" in duration "1sx"'],
    ["1toString", 'time: unknown unit "toString" in duration "1toString"'],
    ["1__proto__", 'time: unknown unit "__proto__" in duration "1__proto__"'],
    ["1 s", 'time: unknown unit " s" in duration "1 s"'],
    ["9999999999h", 'time: invalid duration "9999999999h"'],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseDuration(text), (error) => error instanceof FlagValueError && error.message === message);
  }
});

Deno.test("a duration is printed as Go prints it, and read back", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [3_600_000, "1h0m0s"],
    [90_000, "1m30s"],
    [1_500, "1.5s"],
    [100, "100ms"],
    [1.5, "1.5ms"],
    [0.0015, "1.5µs"],
    [0.000002, "2ns"],
    [-1_000, "-1s"],
    [3_723_500, "1h2m3.5s"],
  ];
  for (const [milliseconds, text] of cases) {
    assert.equal(formatDuration(milliseconds), text);
    assert.equal(parseDuration(text), milliseconds);
  }
});

Deno.test("a duration longer than a timer can wait becomes the longest one, instead of firing at once", () => {
  assert.equal(timerMs(parseDuration("10000h")), 2 ** 31 - 1);
  assert.equal(timerMs(parseDuration("1h")), 3_600_000);
});
