import { FlagValueError, quote } from "./flag_error.ts";

const nanosecondsPerUnit: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3], // U+00B5
  ["μs", 1e3], // U+03BC
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

/** The largest duration that Go's 64 bits of nanoseconds can hold: 292 years. */
const maxNanoseconds = 2 ** 63;

/** The longest time that a timer of the runtime can wait, in milliseconds: 24.8 days. */
const maxTimerMs: number = 2 ** 31 - 1;

/**
 * Reads a duration in Go's syntax: `1h`, `1m30s`, `100ms`, `1.5h`, `-1s`, `0`.
 * @returns milliseconds, with fractions
 * @throws {FlagValueError} in the words of Go's time.ParseDuration
 */
export function parseDuration(text: string): number {
  const invalid = new FlagValueError(`time: invalid duration ${quote(text)}`);
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return 0;
  if (rest === "") throw invalid;
  let nanoseconds = 0;
  while (rest !== "") {
    const number = /^(\d*)(\.\d*)?/.exec(rest)?.[0] ?? "";
    if (number === "" || number === ".") throw invalid;
    rest = rest.slice(number.length);
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? "";
    if (unit === "") throw new FlagValueError(`time: missing unit in duration ${quote(text)}`);
    const factor = nanosecondsPerUnit.get(unit);
    if (factor === undefined) {
      throw new FlagValueError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    rest = rest.slice(unit.length);
    nanoseconds += Math.trunc(Number(number) * factor);
    if (nanoseconds >= maxNanoseconds) throw invalid;
  }
  return (sign * nanoseconds) / 1e6 + 0; // + 0: never -0
}

/** The same time where a timer can hold it, else the longest that one can: a timer beyond its limit fires at once. */
export function timerMs(milliseconds: number): number {
  return Math.max(-maxTimerMs, Math.min(maxTimerMs, milliseconds));
}

/** Prints milliseconds as Go prints a duration: `1h0m0s`, `1m30s`, `1.5s`, `100ms`, `0s`, `-1s`. */
export function formatDuration(milliseconds: number): string {
  const nanoseconds = Math.round(Math.abs(milliseconds) * 1e6);
  if (nanoseconds === 0) return "0s";
  const sign = milliseconds < 0 ? "-" : "";
  if (nanoseconds < 1e3) return `${sign}${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${sign}${fraction(nanoseconds, 3)}µs`;
  if (nanoseconds < 1e9) return `${sign}${fraction(nanoseconds, 6)}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${fraction(nanoseconds % 60e9, 9)}s`;
  if (minutes === 0) return sign + seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60}m${seconds}`;
}

/** `value` divided by ten to the `digits`, without trailing zeros. */
function fraction(value: number, digits: number): string {
  const padded = String(value).padStart(digits + 1, "0");
  const decimals = padded.slice(-digits).replace(/0+$/, "");
  const whole = padded.slice(0, -digits);
  return decimals === "" ? whole : `${whole}.${decimals}`;
}
