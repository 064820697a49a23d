// @ts-check
/**
 * The tables of a program, and what is asked of `/status` for them.
 * @module
 */
import {
  agentColumns,
  dialColumns,
  endpointColumns,
  endpointDialColumns,
  failureColumns,
  linkColumns,
  routeColumns,
  tunnelColumns,
} from "../texts/columns.js";
import { isServer } from "../texts/findings.js";
import { linkPlotLength, pageSize } from "./model.js";
import { Table } from "./table.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/**
 * @typedef {object} Tables
 * @property {readonly HTMLElement[]} elements
 * @property {() => readonly string[]} queries what is asked for; the second, where there is one, is about one agent or server
 * @property {<T extends ServerStatus | AgentStatus>(answers: readonly T[]) => T} joined
 * @property {(now: number) => void} show
 */

/** Dials that are asked for. */
const dialSize = 200;

/** Entries with what makes each of them another, such as a number of its place. @param {{ readonly id: string, readonly worker?: number }} entry */
const idOf = ({ id, worker }) => `${id} ${worker ?? ""}`;

/**
 * Where the server's page of a long table begins that holds what the browser's shows.
 * @param {Table<never>} table
 */
function windowOf(table) {
  return Math.floor(table.first / pageSize) * pageSize;
}

/**
 * What is asked for, as the fields of the tables say.
 * @param {Model} model
 * @param {"agents" | "links"} links
 * @param {Table<never>} tunnels
 * @param {"agent" | "server"} side
 * @returns {readonly string[]}
 */
function queriesOf(model, links, tunnels, side) {
  const ofTunnels = new URLSearchParams({
    tunnels: String(pageSize),
    tunnels_from: String(windowOf(tunnels)),
    dials: String(dialSize),
  });
  for (const key of ["client", "destination"]) {
    const value = tunnels.filters[key] ?? "";
    if (value !== "") ofTunnels.set(key, value);
  }
  const ofLinks = new URLSearchParams({ [links]: String(pageSize), [`${links}_from`]: String(model.nextFrom) });
  const one = tunnels.filters[side] ?? "";
  if (one === "") return [`${ofLinks}&${ofTunnels}`];
  ofTunnels.set(side, one);
  ofTunnels.set(links, "0");
  return [`${ofLinks}&tunnels=0&dials=0`, String(ofTunnels)];
}

/**
 * An answer with the tunnels and dials of the other one; how many there are in all is what the first says.
 * @template {ServerStatus | AgentStatus} T
 * @param {readonly T[]} answers
 * @returns {T}
 */
function joined([first, second]) {
  if (first === undefined) throw new Error("there is no answer");
  if (second === undefined) return first;
  const { tunnels, dials } = second;
  return {
    ...first,
    tunnels: { ...tunnels, total: first.tunnels.total },
    dials: { ...dials, total: first.dials.total },
  };
}

/** All entries of a table that is there whole. @template T @param {readonly T[]} entries */
const whole = (entries) => ({ entries, from: 0, matched: entries.length });
/** @template T @param {{ readonly items: readonly T[], readonly from: number, readonly matched: number }} page */
const part = ({ items, from, matched }) => ({ entries: items, from, matched });

/**
 * @param {string} program
 * @param {Model} model
 * @param {() => void} ask other data are wanted
 * @returns {Tables}
 */
export function tablesOf(program, model, ask) {
  return program === "proxy-server" ? serverTables(model, ask) : agentTables(model, ask);
}

/**
 * @param {Model} model
 * @param {() => void} ask
 * @returns {Tables}
 */
function serverTables(model, ask) {
  const redraw = () => showAll();
  /** @typedef {import("./model.js").Known & { entry: import("../texts/columns.js").AgentEntry }} KnownAgent */
  const agents = new Table({
    id: "agents",
    title: "Agents",
    empty: "No agent is connected.",
    columns: agentColumns.map((column) => lifted(column)),
    keyOf: (/** @type {KnownAgent} */ { entry }) => `${entry.id} ${entry.address} ${entry.worker ?? ""}`,
    filters: [{ key: "text", label: "Find" }],
    sortedBy: "rate",
    plotOf: ({ plot }) => plot,
    plotLength: linkPlotLength,
    action: { title: "Show its tunnels", run: ({ entry }) => tunnels.filter("agent", entry.id) },
    onChange: redraw,
  });
  const tunnels = new Table({
    id: "tunnels",
    title: "Tunnels",
    empty: "No tunnel is open, or none that the fields let pass.",
    columns: tunnelColumns,
    keyOf: idOf,
    filters: [
      { key: "destination", label: "Destination" },
      { key: "client", label: "Client" },
      { key: "agent", label: "Agent (whole id)" },
    ],
    sortedBy: "rate",
    onChange: ask,
  });
  const dials = new Table({
    id: "dials",
    title: "Dials that wait",
    empty: "None.",
    columns: dialColumns,
    keyOf: idOf,
    sortedBy: "age",
    onChange: redraw,
  });
  const failures = failureTable(failureColumns, redraw);
  let shownAt = 0;
  function showAll() {
    const { status } = model;
    if (status === undefined || !isServer(status)) return;
    const all = /** @type {KnownAgent[]} */ ([...model.links.values()]);
    const text = (agents.filters["text"] ?? "").toLowerCase();
    const holds = (/** @type {KnownAgent} */ { entry }) =>
      agentColumns.some((column) =>
        `${column.text(entry, shownAt)} ${column.sort(entry)}`.toLowerCase().includes(text)
      );
    agents.show(whole(text === "" ? all : all.filter(holds)), shownAt);
    tunnels.show({ ...part(status.tunnels), entries: /** @type {never} */ (model.tunnels) }, shownAt);
    dials.show({ ...part(status.dials), matched: status.dials.items.length }, shownAt);
    failures.show(whole(status.failures), shownAt);
  }
  return {
    elements: [agents, tunnels, dials, failures].map(({ element }) => element),
    queries: () => queriesOf(model, "agents", /** @type {never} */ (tunnels), "agent"),
    joined,
    show: (now) => {
      shownAt = now;
      showAll();
    },
  };
}

/**
 * @param {Model} model
 * @param {() => void} ask
 * @returns {Tables}
 */
function agentTables(model, ask) {
  const redraw = () => showAll();
  /** @typedef {import("./model.js").Known & { entry: import("../texts/columns.js").LinkEntry }} KnownLink */
  const routes = new Table({
    id: "routes",
    title: "Ways to servers",
    empty: "None yet.",
    columns: routeColumns,
    keyOf: ({ host, address }) => `${host} ${address}`,
    sortedBy: "address",
    onChange: redraw,
  });
  const links = new Table({
    id: "links",
    title: "Links",
    empty: "There is no link to a server.",
    columns: linkColumns.map((column) => lifted(column)),
    keyOf: (/** @type {KnownLink} */ { entry }) => `${entry.server} ${entry.address} ${entry.state}`,
    sortedBy: "rate",
    plotOf: ({ plot }) => plot,
    plotLength: linkPlotLength,
    action: { title: "Show its tunnels", run: ({ entry }) => tunnels.filter("server", entry.server) },
    onChange: redraw,
  });
  const tunnels = new Table({
    id: "tunnels",
    title: "Tunnels",
    empty: "No tunnel is open, or none that the fields let pass.",
    columns: endpointColumns,
    keyOf: idOf,
    filters: [{ key: "destination", label: "Destination" }, { key: "server", label: "Server (whole id)" }],
    sortedBy: "rate",
    onChange: ask,
  });
  const dials = new Table({
    id: "dials",
    title: "Destinations that are being connected to",
    empty: "None.",
    columns: endpointDialColumns,
    keyOf: idOf,
    sortedBy: "age",
    onChange: redraw,
  });
  const failures = failureTable(failureColumns.filter(({ key }) => key !== "client"), redraw);
  let shownAt = 0;
  function showAll() {
    const { status } = model;
    if (status === undefined || isServer(status)) return;
    routes.show(whole(status.routes), shownAt);
    links.show(whole(/** @type {KnownLink[]} */ ([...model.links.values()])), shownAt);
    tunnels.show({ ...part(status.tunnels), entries: /** @type {never} */ (model.tunnels) }, shownAt);
    dials.show({ ...part(status.dials), matched: status.dials.items.length }, shownAt);
    failures.show(whole(status.failures), shownAt);
  }
  return {
    elements: [routes, links, tunnels, dials, failures].map(({ element }) => element),
    queries: () => queriesOf(model, "links", /** @type {never} */ (tunnels), "server"),
    joined,
    show: (now) => {
      shownAt = now;
      showAll();
    },
  };
}

/**
 * @param {readonly import("../texts/columns.js").Column<import("../texts/columns.js").FailureStatus>[]} columns
 * @param {() => void} redraw
 */
function failureTable(columns, redraw) {
  return new Table({
    id: "failures",
    title: "Dials that failed",
    empty: "None of late.",
    columns,
    keyOf: ({ time, destination, message, client }) => `${time} ${destination} ${client ?? ""} ${message}`,
    sortedBy: "time",
    onChange: redraw,
  });
}

/**
 * A column of entries, of what the model knows of each.
 * @template T
 * @param {import("../texts/columns.js").Column<T>} column
 * @returns {import("../texts/columns.js").Column<{ readonly entry: T }>}
 */
function lifted(column) {
  return { ...column, text: ({ entry }, now) => column.text(entry, now), sort: ({ entry }) => column.sort(entry) };
}
