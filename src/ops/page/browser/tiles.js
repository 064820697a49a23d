/// <reference lib="dom" />
// @ts-check
/**
 * The figures of the whole program, each with a plot of the last minutes.
 * @module
 */
import { el, setText } from "./dom.js";
import { timeOf } from "../texts/findings.js";
import { plotLength } from "./model.js";
import { Plot } from "./plot.js";
import { count, rate } from "../texts/units.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Sample} Sample */
/**
 * @typedef {object} Tile
 * @property {string} title
 * @property {(model: Model, last: Sample) => string} text
 * @property {readonly ((sample: Sample) => number)[]} series
 */

/** For how long a failed dial is counted, in milliseconds: as long as the plots. */
const failedMs = 5 * 60_000;
/** Failures that a status has at most. */
const mostFailures = 50;

/** @param {Model} model */
function failed({ status }) {
  if (status === undefined) return "";
  const now = timeOf(status);
  const recent = status.failures.filter(({ time }) => now - Date.parse(time) < failedMs).length;
  return `${recent}${recent >= mostFailures ? "+" : ""}`;
}

/** @param {string} program @returns {Tile[]} */
function tilesOf(program) {
  return [
    { title: "To destinations", text: (_, { sent }) => rate(sent), series: [({ sent }) => sent] },
    { title: "From destinations", text: (_, { received }) => rate(received), series: [({ received }) => received] },
    { title: "Tunnels", text: (_, { tunnels }) => count(tunnels), series: [({ tunnels }) => tunnels] },
    {
      title: program === "proxy-server" ? "Agents" : "Servers",
      text: (_, { linked }) => count(linked),
      series: [({ linked }) => linked],
    },
    {
      title: "Failed dials, 5 minutes",
      text: failed,
      series: [({ failures }) => failures],
    },
  ];
}

export class Tiles {
  element;
  #tiles;

  /** @param {string} program */
  constructor(program) {
    this.#tiles = tilesOf(program).map((tile) => ({
      tile,
      value: el("dd"),
      plot: new Plot({ lines: tile.series.length, length: plotLength, width: 160, height: 34 }),
    }));
    this.element = el(
      "section",
      { id: "tiles", "aria-label": "Figures" },
      el(
        "dl",
        { class: "tiles" },
        ...this.#tiles.map(({ tile, value, plot }) => el("div", {}, el("dt", {}, tile.title), value, plot.element)),
      ),
    );
  }

  /** @param {Model} model */
  show(model) {
    const last = model.samples.at(-1);
    if (last === undefined) return;
    for (const { tile, value, plot } of this.#tiles) {
      setText(value, tile.text(model, last));
      plot.show(tile.series.map((of) => model.samples.map(of)));
    }
  }
}
