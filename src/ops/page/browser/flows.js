// @ts-check
/**
 * The map's contents: who is connected with whom, and what flows there now. What there is much of is gathered.
 * @module
 */
import { isServer } from "../texts/findings.js";
import { nameOf, sumOf } from "./model.js";
import { count, counted, rate } from "../texts/units.js";

/** @typedef {import("./model.js").Model} Model */
/**
 * @typedef {object} MapNode
 * @property {string} key
 * @property {string} label
 * @property {string} detail
 * @property {number} rate bytes a second, both ways
 * @property {"well" | "warn" | "others"} state
 */
/** @typedef {{ readonly title: string, readonly nodes: readonly MapNode[] }} MapColumn */
/** @typedef {{ readonly from: string, readonly to: string, readonly rate: number, readonly tunnels: number }} MapEdge */
/** @typedef {{ readonly columns: readonly MapColumn[], readonly edges: readonly MapEdge[], readonly direct: readonly MapEdge[], readonly partial: string }} FlowMap `direct`: instead of those from and to the program itself, where it is not drawn */

/** Sums of what has one name. */
class Group {
  rate = 0;
  tunnels = 0;
  state = /** @type {"well" | "warn"} */ ("well");
}

/** Groups by name, of which the largest are shown. */
class Groups {
  /** @type {Map<string, Group>} */
  #all = new Map();
  #prefix;
  #noun;
  /** @type {Set<string>} */
  #shown = new Set();

  /** @param {string} prefix of keys @param {string} noun what is gathered */
  constructor(prefix, noun) {
    this.#prefix = prefix;
    this.#noun = noun;
  }

  /** @param {string} name */
  of(name) {
    let group = this.#all.get(name);
    if (group === undefined) this.#all.set(name, group = new Group());
    return group;
  }

  /** The node that stands for a name. @param {string} name */
  key(name) {
    return this.#shown.has(name) ? `${this.#prefix}:${name}` : `${this.#prefix}!others`;
  }

  /** @param {number} most @returns {MapNode[]} */
  nodes(most) {
    const sorted = [...this.#all].sort(([a, one], [b, other]) =>
      other.rate - one.rate || other.tunnels - one.tunnels || (a < b ? -1 : 1)
    );
    const shown = sorted.length <= most ? sorted : sorted.slice(0, most - 1);
    const rest = sorted.slice(shown.length);
    this.#shown = new Set(shown.map(([name]) => name));
    const nodes = shown.map(([name, group]) => ({
      key: this.key(name),
      label: name,
      detail: detailOf(group),
      rate: group.rate,
      state: /** @type {MapNode["state"]} */ (group.state),
    }));
    if (rest.length === 0) return nodes;
    const others = new Group();
    for (const [, group] of rest) {
      others.rate += group.rate;
      others.tunnels += group.tunnels;
    }
    const label = `${count(rest.length)} more ${this.#noun}${rest.length === 1 ? "" : "s"}`;
    return [...nodes, { key: this.key(""), label, detail: detailOf(others), rate: others.rate, state: "others" }];
  }
}

/** @param {{ readonly rate: number, readonly tunnels: number }} group */
function detailOf({ rate: now, tunnels }) {
  return `${counted(tunnels, "tunnel")}${now > 0 ? `, ${rate(now)}` : ""}`;
}

/** Edges, of which several may lead between the same nodes. */
class Edges {
  /** @type {Map<string, { from: string, to: string, rate: number, tunnels: number }>} */
  #all = new Map();

  /** @param {string} from @param {string} to @param {number} rate @param {number} tunnels */
  add(from, to, rate, tunnels) {
    const key = `${from}\n${to}`;
    const edge = this.#all.get(key);
    if (edge === undefined) this.#all.set(key, { from, to, rate, tunnels });
    else {
      edge.rate += rate;
      edge.tunnels += tunnels;
    }
  }

  /** @returns {MapEdge[]} */
  list() {
    return [...this.#all.values()];
  }
}

/**
 * @param {Model} model with an answer
 * @param {number} most nodes of each column
 * @returns {FlowMap}
 */
export function flowMap(model, most) {
  const { status, tunnels } = model;
  if (status === undefined) return { columns: [], edges: [], direct: [], partial: "" };
  const server = isServer(status);
  const clients = new Groups("client", "client");
  const links = new Groups("link", server ? "agent" : "server");
  const destinations = new Groups("destination", "destination");
  for (const { entry } of model.links.values()) {
    const group = links.of(nameOf(entry));
    group.rate += sumOf(entry.rate);
    group.tunnels += entry.tunnels;
    if ("id" in entry ? entry.stalled || entry.draining : entry.state === "draining") group.state = "warn";
  }
  for (const tunnel of tunnels) {
    const flow = tunnel.rate === undefined ? 0 : sumOf(tunnel.rate);
    const groups = [destinations.of(tunnel.destination)];
    if ("client" in tunnel) groups.push(clients.of(tunnel.client.name));
    for (const group of groups) {
      group.rate += flow;
      group.tunnels++;
    }
  }
  const total = model.rate();
  const own = {
    key: "self",
    label: server ? status.server.id : status.agent.id,
    detail: detailOf({ rate: sumOf(total), tunnels: status.tunnels.total }),
    rate: sumOf(total),
    state: /** @type {MapNode["state"]} */ (status.ready ? "well" : "warn"),
  };
  const linkNodes = links.nodes(most);
  const destinationNodes = destinations.nodes(most);
  const clientNodes = clients.nodes(most);
  const partial = tunnels.length < status.tunnels.total
    ? `Clients and destinations are those of ${count(tunnels.length)} of ${counted(status.tunnels.total, "tunnel")}.`
    : "";
  const [edges, direct] = edgesOf(model, { server, clients, links, destinations });
  const columns = server
    ? [
      { title: "Clients", nodes: clientNodes },
      { title: "Server", nodes: [own] },
      { title: "Agents", nodes: linkNodes },
      { title: "Destinations", nodes: destinationNodes },
    ]
    : [
      { title: "Servers", nodes: linkNodes },
      { title: "Agent", nodes: [own] },
      { title: "Destinations", nodes: destinationNodes },
    ];
  return { columns, edges, direct, partial };
}

/**
 * @param {Model} model
 * @param {{ readonly server: boolean, readonly clients: Groups, readonly links: Groups, readonly destinations: Groups }} groups
 * @returns {[MapEdge[], MapEdge[]]} with the program itself, and without it
 */
function edgesOf({ links: known, tunnels }, { server, clients, links, destinations }) {
  const edges = new Edges();
  const direct = new Edges();
  for (const { entry } of known.values()) {
    const key = links.key(nameOf(entry));
    if (server) edges.add("self", key, sumOf(entry.rate), entry.tunnels);
    else edges.add(key, "self", sumOf(entry.rate), entry.tunnels);
  }
  for (const tunnel of tunnels) {
    const flow = tunnel.rate === undefined ? 0 : sumOf(tunnel.rate);
    const to = destinations.key(tunnel.destination);
    if ("client" in tunnel) {
      edges.add(clients.key(tunnel.client.name), "self", flow, 1);
      direct.add(clients.key(tunnel.client.name), links.key(tunnel.agent), flow, 1);
      for (const each of [edges, direct]) each.add(links.key(tunnel.agent), to, flow, 1);
    } else edges.add("self", to, flow, 1);
  }
  return [edges.list(), direct.list()];
}
