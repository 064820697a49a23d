/// <reference lib="dom" />
// @ts-check
/**
 * A table that sorts, filters and shows one page of its rows. All of it works by the keyboard: what can be done is a button
 * or a field.
 * @module
 */
import { el, setAttributes, setText } from "./dom.js";
import { Plot } from "./plot.js";
import { count } from "../texts/units.js";

/** Rows of a page: what is not seen is not made. */
export const pageRows = 50;
/** How long somebody types before the filter is asked for, in milliseconds. */
const typingMs = 250;

/**
 * @template T
 * @typedef {import("../texts/columns.js").Column<T>} Column
 */
/**
 * @typedef {object} Filter
 * @property {string} key
 * @property {string} label
 */
/**
 * @template T
 * @typedef {object} TableOptions
 * @property {string} id
 * @property {string} title
 * @property {string} empty what is said when there is no row
 * @property {readonly Column<T>[]} columns
 * @property {(entry: T) => string} keyOf
 * @property {readonly Filter[]} [filters]
 * @property {string} sortedBy the column that it is sorted by at first
 * @property {(entry: T) => readonly number[]} [plotOf] values of the plot
 * @property {number} [plotLength]
 * @property {{ readonly title: string, readonly run: (entry: T) => void }} [action] of the first cell of a row
 * @property {() => void} onChange other rows are wanted
 */
/**
 * @template T
 * @typedef {object} Rows
 * @property {readonly T[]} entries all of them, or where there are more those behind `from`
 * @property {number} from
 * @property {number} matched how many there are
 */

/** @template T */
class Row {
  element;
  #cells;
  #plot;
  /** @type {T} */
  #entry;

  /** @param {TableOptions<T>} options @param {T} entry */
  constructor({ columns, action, plotOf, plotLength = 1 }, entry) {
    this.#entry = entry;
    this.#plot = plotOf === undefined ? undefined : new Plot({ length: plotLength, width: 64, height: 16 });
    this.#cells = columns.map(({ title, numeric, wide, plot }, at) => {
      const text = el("span");
      const shown = at === 0 && action !== undefined
        ? el("button", { type: "button", class: "inline", title: action.title }, text)
        : text;
      if (shown !== text) shown.addEventListener("click", () => action?.run(this.#entry));
      const cell = el("td", { class: numeric ? "n" : wide ? "wide" : false, "data-title": title }, shown);
      if (plot && this.#plot !== undefined) cell.append(this.#plot.element);
      return { text, cell };
    });
    this.element = el("tr", {}, ...this.#cells.map(({ cell }) => cell));
  }

  /** @param {TableOptions<T>} options @param {T} entry @param {number} now */
  show({ columns, plotOf }, entry, now) {
    this.#entry = entry;
    columns.forEach((column, at) => {
      const text = this.#cells[at]?.text;
      if (text !== undefined) setText(text, column.text(entry, now));
    });
    if (plotOf !== undefined) this.#plot?.show([plotOf(entry)]);
  }
}

/** @template T */
export class Table {
  element;
  /** What is in the fields, by their keys. @type {Record<string, string>} */
  filters = {};
  #options;
  #body = el("tbody");
  #count = el("small");
  #range = el("span");
  #empty;
  #scroll;
  #pager;
  /** @type {Map<string, HTMLTableCellElement>} */
  #heads = new Map();
  /** @type {Map<string, HTMLInputElement>} */
  #fields = new Map();
  /** @type {Map<string, Row<T>>} */
  #rows = new Map();
  #sortedBy;
  #descending;
  #page = 0;
  /** @type {[Rows<T>, number]} */
  #last = [{ entries: [], from: 0, matched: 0 }, 0];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;

  /** @param {TableOptions<T>} options */
  constructor(options) {
    this.#options = options;
    const { id, title, columns, filters = [], sortedBy, empty } = options;
    this.#sortedBy = sortedBy;
    this.#descending = columns.find(({ key }) => key === sortedBy)?.numeric === true;
    const heads = columns.map((column) => {
      const button = el("button", { type: "button" }, column.title);
      button.addEventListener("click", () => this.#sort(column));
      const head = el("th", { scope: "col", class: column.numeric ? "n" : false }, button);
      this.#heads.set(column.key, head);
      return head;
    });
    const fields = filters.map(({ key, label }) => {
      const field = el("input", { type: "search", autocomplete: "off", spellcheck: "false", "data-filter": key });
      field.addEventListener("input", () => this.#typed(key, field.value));
      this.#fields.set(key, field);
      return el("label", {}, `${label} `, field);
    });
    const turn = (/** @type {string} */ label, /** @type {number} */ by) => {
      const button = el("button", { type: "button" }, label);
      button.addEventListener("click", () => this.#turn(by));
      return button;
    };
    this.#pager = el("p", { class: "pager", hidden: true }, turn("Previous", -1), this.#range, turn("Next", 1));
    this.#empty = el("p", { class: "empty" }, empty);
    this.#scroll = el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${id}-title` },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads)), this.#body),
    );
    this.element = el(
      "section",
      { id, "aria-labelledby": `${id}-title` },
      el("h2", { id: `${id}-title` }, `${title} `, this.#count),
      ...(fields.length === 0 ? [] : [el("div", { class: "filters", role: "search", "aria-label": title }, ...fields)]),
      this.#empty,
      this.#scroll,
      this.#pager,
    );
    this.#showSort();
  }

  /** Where the rows of the page that is shown begin. */
  get first() {
    return this.#page * pageRows;
  }

  /** Fills in a field, as somebody may. @param {string} key @param {string} value */
  filter(key, value) {
    const field = this.#fields.get(key);
    if (field === undefined) return;
    field.value = value;
    this.#filtered(key, value);
    field.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** @param {Rows<T>} rows @param {number} now milliseconds since the epoch, of the program's clock */
  show(rows, now) {
    this.#last = [rows, now];
    const { entries, from, matched } = rows;
    const pages = Math.max(1, Math.ceil(matched / pageRows));
    this.#page = Math.min(this.#page, pages - 1);
    const sorted = this.#sorted(entries);
    const start = Math.max(0, this.first - from);
    this.#fill(sorted.slice(start, start + pageRows), now);
    const part = matched > entries.length
      ? `, sorted within ${count(from + 1)} to ${count(from + entries.length)}`
      : "";
    const end = Math.min(matched, this.first + pageRows);
    setText(this.#count, count(matched));
    setText(this.#range, `${count(this.first + 1)} to ${count(end)} of ${count(matched)}${part}`);
    setAttributes(this.#pager, { hidden: pages === 1 });
    setAttributes(this.#empty, { hidden: matched > 0 });
    setAttributes(this.#scroll, { hidden: matched === 0 });
    const [previous, next] = [this.#pager.firstElementChild, this.#pager.lastElementChild];
    // Not disabled, which would take the focus from who turns the pages by the keyboard.
    if (previous !== null) setAttributes(previous, { "aria-disabled": this.#page === 0 ? "true" : undefined });
    if (next !== null) setAttributes(next, { "aria-disabled": this.#page >= pages - 1 ? "true" : undefined });
  }

  /** @param {readonly T[]} entries */
  #sorted(entries) {
    const column = this.#options.columns.find(({ key }) => key === this.#sortedBy);
    if (column === undefined) return entries;
    const sign = this.#descending ? -1 : 1;
    const { keyOf } = this.#options;
    return entries.map((entry) => ({ entry, by: column.sort(entry), key: keyOf(entry) })).sort((a, b) =>
      a.by < b.by ? -sign : a.by > b.by ? sign : a.key < b.key ? -1 : a.key > b.key ? 1 : 0
    ).map(({ entry }) => entry);
  }

  /** @param {readonly T[]} entries @param {number} now */
  #fill(entries, now) {
    const rows = new Map();
    entries.forEach((entry, at) => {
      const name = this.#options.keyOf(entry);
      // Two that nothing tells apart are two rows.
      const key = rows.has(name) ? `${name} ${at}` : name;
      const row = this.#rows.get(key) ?? new Row(this.#options, entry);
      row.show(this.#options, entry, now);
      rows.set(key, row);
      const there = this.#body.children[at];
      // A row that has moved is put where it belongs; the others, and with them the focus, stay where they are.
      if (there !== row.element) this.#body.insertBefore(row.element, there ?? null);
    });
    for (const [key, row] of this.#rows) if (rows.get(key) !== row) row.element.remove();
    this.#rows = rows;
  }

  /** @param {Column<T>} column */
  #sort({ key, numeric }) {
    this.#descending = this.#sortedBy === key ? !this.#descending : numeric === true;
    this.#sortedBy = key;
    this.#page = 0;
    this.#showSort();
    this.#changed();
  }

  #showSort() {
    for (const [key, head] of this.#heads) {
      setAttributes(head, {
        "aria-sort": key !== this.#sortedBy ? undefined : this.#descending ? "descending" : "ascending",
      });
    }
  }

  /** @param {string} key @param {string} value */
  #typed(key, value) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#filtered(key, value), typingMs);
  }

  /** @param {string} key @param {string} value */
  #filtered(key, value) {
    this.filters = { ...this.filters, [key]: value.trim() };
    this.#page = 0;
    this.#changed();
  }

  /** @param {number} by */
  #turn(by) {
    const page = this.#page + by;
    if (page < 0 || page * pageRows >= this.#last[0].matched) return;
    this.#page = page;
    this.#changed();
  }

  #changed() {
    this.show(...this.#last);
    this.#options.onChange();
  }
}
