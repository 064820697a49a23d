/// <reference lib="dom" />
// @ts-check
/**
 * The feed: the last events, the newest first.
 * @module
 */
import { el, setAttributes, setText } from "./dom.js";
import { eventLine } from "../texts/event_texts.js";
import { ago } from "../texts/units.js";

/** @typedef {import("../../events/server_event.ts").ServerEvent} ServerEvent */
/** @typedef {import("../../events/agent_event.ts").AgentEvent} AgentEvent */

const mostLines = 60;

export class Feed {
  element;
  #list = el("ol", { class: "feed" });
  #note = el("p", { class: "empty" });
  #scroll = el(
    "div",
    { class: "scroll tall", tabindex: "0", role: "region", "aria-labelledby": "feed-title", hidden: true },
    this.#list,
  );
  /** @type {{ at: number, time: HTMLTimeElement, item: HTMLLIElement }[]} */
  #lines = [];
  /** Events that came since the last picture; a browser draws none of those in between. @type {(ServerEvent | AgentEvent)[]} */
  #waiting = [];

  constructor() {
    // Not a live region: a screen reader would read without an end. What matters is announced.
    this.element = el(
      "section",
      { id: "feed", "aria-labelledby": "feed-title" },
      el("h2", { id: "feed-title" }, "Events"),
      this.#note,
      this.#scroll,
    );
  }

  /** @param {ServerEvent | AgentEvent} event */
  add(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > mostLines) this.#waiting.shift();
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#draw());
  }

  /** @param {number} now milliseconds since the epoch, of the program's clock @param {string} note */
  show(now, note) {
    for (const { at, time } of this.#lines) setText(time, ago(Math.max(0, (now - at) / 1000)));
    const text = note === "" && this.#lines.length === 0 ? "Nothing has happened since this page was opened." : note;
    setText(this.#note, text);
    setAttributes(this.#note, { hidden: text === "" });
    setAttributes(this.#scroll, { hidden: this.#lines.length === 0 });
  }

  #draw() {
    for (const event of this.#waiting.splice(0)) {
      const line = eventLine(event);
      if (line === undefined) continue;
      const time = el("time", { datetime: event.time, title: event.time }, "just now");
      const item = el("li", { class: line.level }, time, " ", el("strong", {}, line.what), " ", line.text);
      this.#list.prepend(item);
      this.#lines.push({ at: Date.parse(event.time), time, item });
    }
    setAttributes(this.#scroll, { hidden: this.#lines.length === 0 });
    for (const { item } of this.#lines.splice(0, Math.max(0, this.#lines.length - mostLines))) item.remove();
  }
}
