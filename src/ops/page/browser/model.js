// @ts-check
/**
 * What a page remembers of the answers of `/status`: tables that come in several pages, rates of tunnels, and how it was
 * some minutes ago.
 * @module
 */
import { isServer, timeOf } from "../texts/findings.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/** @typedef {import("../../status/server_status.ts").AgentEntry} AgentEntry */
/** @typedef {import("../../status/agent_status.ts").LinkEntry} LinkEntry */
/** @typedef {import("../../status/status_page.ts").ByteCounts} ByteCounts */
/** @typedef {AgentEntry | LinkEntry} Entry one link: an agent, at the server; a server, at the agent */
/** @typedef {(import("../../status/server_status.ts").TunnelEntry | import("../../status/agent_status.ts").EndpointEntry) & { readonly rate?: ByteCounts, readonly stillMs?: number }} Tunnel `stillMs`: for how long it made no progress */
/**
 * @typedef {object} Known
 * @property {Entry} entry
 * @property {number} round the last in which it was there
 * @property {number[]} plot rates of the last minutes
 */
/**
 * @typedef {object} Sample
 * @property {number} sent bytes a second
 * @property {number} received
 * @property {number} tunnels
 * @property {number} linked agents that a server has, or servers that an agent has, whatever number of links each has
 * @property {number} failures dials that failed since the sample before
 */

/** Entries of a table that are asked for at once: what the server gives at most. */
export const pageSize = 1000;
/** Samples that plots show: five minutes. */
export const plotLength = 150;
/** Samples of one link. */
export const linkPlotLength = 30;
/** For how long it is remembered how many links there were, in milliseconds. */
const memoryMs = 30 * 60_000;
/** Ids that are remembered. */
const mostIds = 20_000;
/** A tunnel that made no progress for so long, while bytes wait, is worth a finding, in milliseconds. */
const stuckMs = 10_000;

/** @param {ByteCounts} both */
export function sumOf({ sent, received }) {
  return sent + received;
}

/** @param {Entry} entry */
export function nameOf(entry) {
  return "id" in entry ? entry.id : entry.server;
}

/** @param {Entry} entry */
function keyOf(entry) {
  return `${nameOf(entry)} ${entry.address} ${"worker" in entry ? entry.worker : ""}`;
}

export class Model {
  /** @type {ServerStatus | AgentStatus | undefined} the last answer */
  status;
  /** @type {Map<string, Known>} */
  links = new Map();
  /** @type {readonly Tunnel[]} */
  tunnels = [];
  /** @type {Sample[]} */
  samples = [];
  /** What the next request is to ask for of the long table. */
  nextFrom = 0;
  /** Whether all of the links were read at least once. */
  whole = false;
  #round = 0;
  /** @type {Map<string, { total: number, at: number, rate: ByteCounts, bytes: ByteCounts, still: number }>} */
  #progress = new Map();
  /** @type {Map<string, number>} ids of links, with when each was there last */
  #ids = new Map();
  /** @type {{ at: number, most: number }[]} a minute each */
  #most = [];
  #lastFailure = "";
  #now = 0;

  /** The clock of the program, in milliseconds since the epoch. @param {number} now of the browser, monotonic */
  time(now) {
    return this.status === undefined ? 0 : timeOf(this.status) + (now - this.#now);
  }

  /**
   * Takes an answer.
   * @param {ServerStatus | AgentStatus} status
   * @param {number} now milliseconds of a clock that does not jump
   */
  take(status, now) {
    if (this.status !== undefined && this.status.program.startedAt !== status.program.startedAt) this.#begin();
    this.status = status;
    this.#now = now;
    const page = isServer(status) ? status.agents : status.links;
    this.#takeLinks(page, now);
    this.#takeTunnels(status.tunnels.items, now);
    const linked = this.whole ? this.#names().size : page.total;
    if (this.whole) this.#remember(linked, now);
    this.#sample(status, linked);
  }

  /** What one answer does not say. @returns {import("../texts/findings.js").Seen} */
  seen() {
    const best = this.#most.reduce((a, b) => b.most >= a.most ? b : a, { at: this.#now, most: 0 });
    const here = this.#names();
    return {
      ...(this.whole ? { links: here.size } : {}),
      mostLinks: best.most,
      mostLinksSeconds: Math.max(1, Math.round((this.#now - best.at) / 1000)),
      gone: this.whole ? [...this.#ids.keys()].filter((id) => !here.has(id)) : [],
      waiting: this.#waiting(),
    };
  }

  /** Bytes a second of all links. @returns {ByteCounts} */
  rate() {
    const sum = { sent: 0, received: 0 };
    for (const { entry: { rate } } of this.links.values()) {
      sum.sent += rate.sent;
      sum.received += rate.received;
    }
    return sum;
  }

  /** Who is linked. A link that is renewed is there twice for a moment, and nobody is fewer when one of the two is gone. */
  #names() {
    return new Set([...this.links.values()].map(({ entry }) => nameOf(entry)));
  }

  /** Another process answers: nothing of the one before goes on, but what there was. */
  #begin() {
    this.links.clear();
    this.#progress.clear();
    this.nextFrom = 0;
    this.whole = false;
    this.#lastFailure = "";
  }

  /** @param {{ readonly total: number, readonly from: number, readonly items: readonly Entry[] }} page @param {number} now */
  #takeLinks({ total, from, items }, now) {
    if (from === 0) this.#round++;
    for (const entry of items) {
      const key = keyOf(entry);
      const plot = this.links.get(key)?.plot ?? [];
      plot.push(sumOf(entry.rate));
      if (plot.length > linkPlotLength) plot.shift();
      this.links.set(key, { entry, round: this.#round, plot });
      const name = nameOf(entry);
      // What was there last is the last to be forgotten.
      this.#ids.delete(name);
      this.#ids.set(name, now);
    }
    const end = from + items.length >= total || items.length === 0;
    this.nextFrom = end ? 0 : from + items.length;
    if (!end) return;
    this.whole = true;
    for (const [key, { round }] of this.links) if (round < this.#round) this.links.delete(key);
    for (const [id, at] of this.#ids) {
      if (this.#ids.size <= mostIds && now - at < memoryMs) break;
      this.#ids.delete(id);
    }
  }

  /** @param {readonly Tunnel[]} tunnels @param {number} now */
  #takeTunnels(tunnels, now) {
    const progress = new Map();
    this.tunnels = tunnels.map((tunnel) => {
      const key = `${tunnel.id} ${"worker" in tunnel ? tunnel.worker : ""}`;
      const before = this.#progress.get(key);
      const { bytes } = tunnel;
      const total = sumOf(bytes);
      const seconds = before === undefined ? 0 : (now - before.at) / 1000;
      const rate = before === undefined || seconds <= 0 ? undefined : {
        sent: Math.max(0, Math.round((bytes.sent - before.bytes.sent) / seconds)),
        received: Math.max(0, Math.round((bytes.received - before.bytes.received) / seconds)),
      };
      const still = before !== undefined && before.total === total ? before.still : now;
      progress.set(key, { total, at: now, rate, bytes, still });
      return { ...tunnel, ...(rate === undefined ? {} : { rate }), stillMs: now - still };
    });
    this.#progress = progress;
  }

  /** @returns {import("../texts/findings.js").WaitingTunnel[]} */
  #waiting() {
    return this.tunnels.flatMap((tunnel) => {
      const { stillMs = 0 } = tunnel;
      const whom = "waitsFor" in tunnel ? tunnel.waitsFor : tunnel.queuedBytes > 0 ? "other side" : undefined;
      if (whom === undefined || stillMs < stuckMs) return [];
      const { destination, queuedBytes } = tunnel;
      return [{ destination, whom, queuedBytes, seconds: stillMs / 1000 }];
    });
  }

  /** @param {number} total @param {number} now */
  #remember(total, now) {
    const last = this.#most.at(-1);
    if (last === undefined || now - last.at >= 60_000) this.#most.push({ at: now, most: total });
    else if (total >= last.most) this.#most[this.#most.length - 1] = { at: last.at, most: total };
    while (this.#most.length > 1 && now - (this.#most[0]?.at ?? now) > memoryMs) this.#most.shift();
  }

  /** @param {ServerStatus | AgentStatus} status @param {number} linked */
  #sample({ tunnels, failures }, linked) {
    const first = this.#lastFailure === "" && this.samples.length === 0;
    const fresh = failures.filter(({ time }) => time > this.#lastFailure).length;
    this.#lastFailure = failures[0]?.time ?? this.#lastFailure;
    this.samples.push({ ...this.rate(), tunnels: tunnels.total, linked, failures: first ? 0 : fresh });
    if (this.samples.length > plotLength) this.samples.shift();
  }
}
