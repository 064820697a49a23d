// @ts-check
/**
 * Small plots of the last minutes.
 * @module
 */
import { setAttributes, svg } from "./dom.js";

/**
 * A line from left to right through values from 0 to the highest.
 * @param {readonly number[]} values
 * @param {number} most the value at the upper edge
 * @param {number} length how many values the whole width has; the last one is at the right edge
 * @param {number} width
 * @param {number} height
 * @returns {string} of a path's `d`
 */
export function linePath(values, most, length, width, height) {
  const step = width / Math.max(1, length - 1);
  const first = width - step * (values.length - 1);
  const top = most > 0 ? most : 1;
  return values.map((value, at) => {
    const y = height - Math.min(1, value / top) * height;
    return `${at === 0 ? "M" : "L"}${(first + at * step).toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}

/** Values that the whole width has at least. */
const youngLength = 20;

/** A plot of one or two lines. It is decoration: the figure beside it says what matters. */
export class Plot {
  #lines;
  #area;
  #length;
  #width;
  #height;
  element;

  /** @param {{ readonly lines?: number, readonly length: number, readonly width: number, readonly height: number }} options */
  constructor({ lines = 1, length, width, height }) {
    this.#length = length;
    this.#width = width;
    this.#height = height;
    this.#lines = Array.from({ length: lines }, (_, at) => svg("path", { class: `line line-${at}` }));
    this.#area = svg("path", { class: "area" });
    this.element = svg(
      "svg",
      {
        class: "plot",
        viewBox: `0 -1 ${width} ${height + 2}`,
        preserveAspectRatio: "none",
        "aria-hidden": "true",
        focusable: "false",
      },
      this.#area,
      ...this.#lines,
    );
  }

  /** @param {readonly (readonly number[])[]} series for each line its values, the last one now */
  show(series) {
    const [length, width, height] = [this.#length, this.#width, this.#height];
    const most = Math.max(0, ...series.map((values) => Math.max(0, ...values)));
    const [first = ""] = series.map((values, at) => {
      // A young plot begins at its left half, not as a dot at the right.
      const shown = Math.min(length, Math.max(youngLength, values.length));
      const path = linePath(values.slice(-length), most, shown, width, height);
      const line = this.#lines[at];
      if (line !== undefined) setAttributes(line, { d: path });
      return path;
    });
    const start = first === "" ? "" : /^M([\d.-]+)/.exec(first)?.[1] ?? "0";
    setAttributes(this.#area, { d: first === "" ? "" : `${first}L${width} ${height}L${start} ${height}Z` });
  }
}
