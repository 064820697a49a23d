/// <reference lib="dom" />
// @ts-check
/**
 * The page: it takes the place of the summary that the server has written, and goes on from there.
 * @module
 */
import { Connection } from "./connection.js";
import { byId, el, setAttributes, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { findings, worst } from "../texts/findings.js";
import { flowMap } from "./flows.js";
import { facts, titleOf } from "../texts/headline.js";
import { drawMap } from "./map.js";
import { Model } from "./model.js";
import { tablesOf } from "./tables.js";
import { Tiles } from "./tiles.js";

/** @typedef {import("../texts/findings.js").Finding} Finding */

/** Nodes of each of the map's columns. */
const mapNodes = 8;

const { program = "", version = "" } = document.documentElement.dataset;
const model = new Model();
const connection = new Connection(program, {
  queries: () => tables.queries(),
  onStatus: (answers) => {
    const [first] = answers;
    if (first === undefined) return;
    // The scripts of another version may read another form of the answers.
    if (first.program.version !== version) return location.reload();
    model.take(tables.joined(answers), performance.now());
    answered = true;
    answeredAt = performance.now();
    show();
  },
  onEvent: (event) => feed.add(event),
  onState: () => showState(),
});
const tables = tablesOf(program, model, () => connection.ask());
const tiles = new Tiles(program);
const feed = new Feed();
const attention = el("div");
const factList = el("dl", { class: "facts" });
const mapPlace = el("div", { class: "map-place" });
const mapNote = el("p", { class: "empty" });
const live = byId("live");
const pause = byId("pause");
let answered = false;
let answeredAt = 0;
let announced = "";
let shownFindings = "";

live.append(
  el(
    "section",
    { "aria-labelledby": "attention-title" },
    el("h2", { id: "attention-title" }, "What needs attention"),
    attention,
  ),
  tiles.element,
  el(
    "section",
    { id: "map", "aria-labelledby": "map-title" },
    el("h2", { id: "map-title" }, "What flows now"),
    mapPlace,
    mapNote,
  ),
  ...tables.elements,
  feed.element,
  el("section", { "aria-labelledby": "facts-title" }, el("h2", { id: "facts-title" }, "The program"), factList),
);
new ResizeObserver(() => showMap()).observe(mapPlace);
pause.hidden = false;
pause.addEventListener("click", () => {
  const paused = connection.state !== "paused";
  setAttributes(pause, { "aria-pressed": String(paused) });
  setText(pause, paused ? "Go on" : "Pause");
  connection.pause(paused);
});
connection.wake();
// Times are relative, so that they move while no answer comes.
setInterval(() => {
  if (document.visibilityState === "visible" && connection.state === "lost") showState();
}, 1_000);

function show() {
  const { status } = model;
  if (status === undefined) return;
  const now = model.time(performance.now());
  const seen = model.seen();
  const all = findings(status, seen);
  const level = worst(all);
  document.title = titleOf(status, level, seen.links);
  setAttributes(byId("dot"), { class: `dot ${level}` });
  showFindings(all);
  tiles.show(model);
  tables.show(now);
  showMap();
  factList.replaceChildren(
    ...facts(status).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
  announce(
    all.length === 0 ? "Nothing needs attention." : `Needs attention: ${all.map(({ what }) => what).join(". ")}`,
    all,
  );
  if (!live.hidden) return;
  live.hidden = false;
  byId("summary").remove();
  showMap();
}

/** @param {readonly Finding[]} all */
function showFindings(all) {
  const text = JSON.stringify(all);
  if (text === shownFindings) return;
  shownFindings = text;
  attention.replaceChildren(
    all.length === 0 ? el("p", { class: "well" }, "Nothing.") : el(
      "ul",
      { class: "findings" },
      ...all.map(({ level, what, why, todo }) =>
        el(
          "li",
          { class: level },
          el("strong", {}, what),
          ...(why === undefined ? [] : [el("span", { class: "why" }, why)]),
          el("span", { class: "todo" }, todo),
        )
      ),
    ),
  );
}

/**
 * Says what is new to who does not see it; not what goes on, such as how long something lasts.
 * @param {string} text
 * @param {readonly Finding[]} all
 */
function announce(text, all) {
  const kinds = all.map(({ level, todo }) => `${level} ${todo.slice(0, 30)}`).join();
  if (kinds === announced) return;
  announced = kinds;
  setText(byId("announcements"), text);
}

function showMap() {
  if (live.hidden || model.status === undefined) return;
  const { width } = mapPlace.getBoundingClientRect();
  if (width < 1) return;
  const map = flowMap(model, mapNodes);
  mapPlace.replaceChildren(drawMap(map, Math.floor(width)));
  setText(mapNote, map.partial);
  setAttributes(mapNote, { hidden: map.partial === "" });
}

function showState() {
  const { state } = connection;
  const seconds = Math.round((performance.now() - answeredAt) / 1000);
  const texts = {
    starting: "Connecting…",
    live: "Live",
    polling: "Live, every 2 seconds",
    paused: "Paused",
    lost: answered ? `No answer for ${seconds} s; it tries again` : "No answer; it tries again",
  };
  setText(byId("connection"), texts[state]);
  setAttributes(document.body, { "data-connection": state });
  if (state === "lost") {
    document.title = `✕ no answer - ${document.title.replace(/^.*? - /, "")}`;
    setAttributes(byId("dot"), { class: "dot bad" });
    if (announced !== "lost") setText(byId("announcements"), "The program does not answer.");
    announced = "lost";
  }
  feed.show(model.time(performance.now()), feedNote());
}

function feedNote() {
  if (connection.state === "live") {
    return connection.calm ? "Too many to read: dials and ends of tunnels are left out for a minute." : "";
  }
  return connection.state === "polling"
    ? "None come now: as many watch them as may, or the program is about to end."
    : "";
}
