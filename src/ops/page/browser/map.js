/// <reference lib="dom" />
// @ts-check
/**
 * Draws the map: columns of nodes from left to right, with a line for what flows between them.
 * @module
 */
import { svg } from "./dom.js";
import { rate as rateText, shortened } from "../texts/units.js";

/** @typedef {import("./flows.js").FlowMap} FlowMap */
/** @typedef {import("./flows.js").MapNode} MapNode */
/** @typedef {{ readonly x: number, readonly y: number, readonly width: number, readonly height: number }} Box */

const nodeHeight = 38;
const gap = 8;
const headHeight = 24;
/** Where there is less room, what everything leads through is left out, in pixels. */
const narrowWidth = 620;
/** Width of a character of a label, in pixels, at most. */
const charWidth = 7;

/** How thick a line is: it grows with the logarithm of what flows. @param {number} rate bytes a second */
function thickness(rate) {
  return rate <= 0 ? 1 : Math.min(9, 1.5 + Math.log10(1 + rate / 1000) * 1.6);
}

/**
 * The map as a picture of so many pixels' width.
 * @param {FlowMap} map
 * @param {number} width
 * @returns {SVGSVGElement}
 */
export function drawMap(map, width) {
  const narrow = width < narrowWidth;
  const columns = map.columns.filter(({ nodes }) => !narrow || map.columns.length < 4 || nodes[0]?.key !== "self");
  const most = Math.max(1, ...columns.map(({ nodes }) => nodes.length));
  const height = headHeight + most * (nodeHeight + gap);
  const between = narrow ? 14 : Math.max(28, width * 0.06);
  const nodeWidth = (width - between * (columns.length - 1)) / Math.max(1, columns.length);
  const picture = svg("svg", {
    class: "map",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": describe(map),
  });
  /** @type {Map<string, Box>} */
  const boxes = new Map();
  const nodes = columns.map(({ title, nodes }, at) => {
    const x = at * (nodeWidth + between);
    const group = svg("g", {}, svg("text", { x, y: 14, class: "column" }, title));
    const start = headHeight + (most - nodes.length) * (nodeHeight + gap) / 2;
    nodes.forEach((node, row) => {
      const box = { x, y: start + row * (nodeHeight + gap), width: nodeWidth, height: nodeHeight };
      boxes.set(node.key, box);
      group.append(drawNode(node, box));
    });
    if (nodes.length === 0) group.append(svg("text", { x, y: height / 2 + 8, class: "detail" }, "none now"));
    return group;
  });
  picture.append(drawEdges(map, boxes, narrow && map.columns.length === 4), ...nodes);
  return picture;
}

/** @param {MapNode} node @param {Box} box */
function drawNode({ label, detail, state }, { x, y, width, height }) {
  const chars = Math.max(4, Math.floor((width - 14) / charWidth));
  return svg(
    "g",
    { class: `node ${state}` },
    svg("title", {}, `${label}: ${detail}`),
    svg("rect", { x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, rx: 5 }),
    svg("text", { x: x + 8, y: y + 16, class: "label" }, shortened(label, chars)),
    svg("text", { x: x + 8, y: y + 30, class: "detail" }, shortened(detail, Math.floor(chars * 1.15))),
  );
}

/** @param {FlowMap} map @param {ReadonlyMap<string, Box>} boxes @param {boolean} direct */
function drawEdges(map, boxes, direct) {
  const group = svg("g", { class: "edges" });
  for (const { from, to, rate, tunnels } of direct ? map.direct : map.edges) {
    const [a, b] = [boxes.get(from), boxes.get(to)];
    if (a === undefined || b === undefined) continue;
    const [x1, y1, x2, y2] = [a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2];
    const middle = (x1 + x2) / 2;
    group.append(svg(
      "path",
      {
        d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`,
        class: rate > 0 ? "flows" : tunnels > 0 ? "open" : "idle",
        "stroke-width": thickness(rate).toFixed(1),
      },
      svg("title", {}, rate > 0 ? rateText(rate) : "nothing flows"),
    ));
  }
  return group;
}

/** @param {FlowMap} map */
function describe({ columns }) {
  return columns.map(({ title, nodes }) =>
    `${title}: ${nodes.map(({ label, detail }) => `${label}, ${detail}`).join("; ") || "none"}`
  ).join(". ");
}
