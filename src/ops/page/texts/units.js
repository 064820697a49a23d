// @ts-check
/**
 * Figures as people read them. The browser runs this file as it stands, and the server renders the page's summary with it.
 * @module
 */

const sizes = ["B", "kB", "MB", "GB", "TB", "PB"];

/**
 * Bytes in the unit that leaves up to three digits: `0 B`, `1.2 kB`, `340 MB`.
 * @param {number} value
 * @returns {string}
 */
export function bytes(value) {
  let size = 0;
  let rest = value;
  while (rest >= 999.5 && size < sizes.length - 1) {
    rest /= 1000;
    size++;
  }
  const digits = size > 0 && rest < 9.95 ? 1 : 0;
  return `${rest.toFixed(digits)} ${sizes[size]}`;
}

/**
 * Bytes a second.
 * @param {number} value
 * @returns {string}
 */
export function rate(value) {
  return `${bytes(value)}/s`;
}

/**
 * A whole number with commas: `1,992`.
 * @param {number} value
 * @returns {string}
 */
export function count(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * A number with what it counts: `1 agent`, `2,000 agents`.
 * @param {number} value
 * @param {string} noun
 * @param {string} [nouns] the plural, where it is not the noun with an `s`
 * @returns {string}
 */
export function counted(value, noun, nouns = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}

/** @type {readonly (readonly [string, number])[]} */
const spans = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/**
 * A length of time in its two largest units, and in one where that is enough: `5 s`, `3 min`, `2 h 5 min`, `40 d`.
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds < 1) return seconds <= 0 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const whole = Math.floor(seconds);
  const at = spans.findIndex(([, length]) => whole >= length);
  const [unit, length] = spans[at] ?? ["s", 1];
  const first = Math.floor(whole / length);
  const [nextUnit, nextLength] = spans[at + 1] ?? ["", 0];
  if (nextLength === 0 || first >= 10) return `${first} ${unit}`;
  const second = Math.floor((whole % length) / nextLength);
  return second === 0 || (unit === "min" && first >= 5) ? `${first} ${unit}` : `${first} ${unit} ${second} ${nextUnit}`;
}

/**
 * How long ago something was.
 * @param {number} seconds
 * @returns {string}
 */
export function ago(seconds) {
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/**
 * Milliseconds of a round trip: `0.42 ms`, `12 ms`.
 * @param {number} ms
 * @returns {string}
 */
export function milliseconds(ms) {
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : count(ms)} ms`;
}

/**
 * A text that fits where there is room for so many characters.
 * @param {string} text
 * @param {number} chars
 * @returns {string}
 */
export function shortened(text, chars) {
  const all = [...text];
  return all.length <= chars ? text : `${all.slice(0, Math.max(1, chars - 1)).join("")}…`;
}

/** Ids that {@link named} names. */
const namedIds = 5;

/**
 * The first of some ids, and how many there are beside them: `a, b and 3 more`.
 * @param {readonly string[]} ids
 * @returns {string}
 */
export function named(ids) {
  const more = ids.length - namedIds;
  return `${ids.slice(0, namedIds).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
