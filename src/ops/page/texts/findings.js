// @ts-check
/**
 * What is wrong with a program, why, and what its operator can do about it: read from its `/status`, by the server for the
 * page's summary and by the browser as it goes on.
 * @module
 */
import { certificateFindings, failureFindings, readinessFindings } from "./common_findings.js";
import { agentLeaseFindings, serverLeaseFindings } from "./lease_findings.js";
import { bytes, counted, duration, named } from "../texts/units.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/** @typedef {"bad" | "warn" | "note"} Level `bad`: it does not do its work. `warn`: some of it fails, or soon will. `note`: worth to know. */
/**
 * @typedef {object} Finding
 * @property {Level} level
 * @property {string} what in one line
 * @property {string} [why] in the words of the program, or with figures
 * @property {string} todo what to do
 */
/**
 * What a page has seen that one answer does not say; nothing of it is there at first.
 * @typedef {object} Seen
 * @property {number} [links] agents, or servers, that are linked; absent while not all of the table was read
 * @property {number} [mostLinks] the most of them that were there at once
 * @property {number} [mostLinksSeconds] how long ago that was
 * @property {readonly string[]} [gone] ids of those that went since
 * @property {readonly WaitingTunnel[]} [waiting] tunnels that made no progress while bytes wait
 */
/**
 * @typedef {object} WaitingTunnel
 * @property {string} destination
 * @property {string} whom whom its bytes wait for
 * @property {number} queuedBytes
 * @property {number} seconds
 */

/** Routes that have a finding each. */
const shownRoutes = 5;
/** A dial that took longer is late, in seconds: most take milliseconds. */
const lateDialSeconds = 5;

/**
 * Whether a status is that of a proxy-server.
 * @param {ServerStatus | AgentStatus} status
 * @returns {status is ServerStatus}
 */
export function isServer(status) {
  return status.program.name === "proxy-server";
}

/**
 * The moment of an answer, by the clock of the program that gave it.
 * @param {ServerStatus | AgentStatus} status
 * @returns {number} milliseconds since the epoch
 */
export function timeOf({ program }) {
  return Date.parse(program.startedAt) + program.uptimeSeconds * 1000;
}

/**
 * Everything worth to act on, the worst first.
 * @param {ServerStatus | AgentStatus} status
 * @param {Seen} [seen]
 * @returns {Finding[]}
 */
export function findings(status, seen = {}) {
  const own = isServer(status)
    ? [...serverFindings(status), ...serverLeaseFindings(status)]
    : [...agentFindings(status), ...agentLeaseFindings(status)];
  const all = [
    ...readinessFindings(status),
    ...certificateFindings(status),
    ...fewerFindings(status, seen),
    ...own,
    ...lateDialFindings(status),
    ...waitingFindings(seen),
    ...failureFindings(status, timeOf(status)),
  ];
  const order = ["bad", "warn", "note"];
  return all.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

/**
 * The worst level of all findings.
 * @param {readonly Finding[]} all
 * @returns {Level | "well"}
 */
export function worst(all) {
  return all.find(({ level }) => level === "bad")?.level ?? all.find(({ level }) => level === "warn")?.level ?? "well";
}

/**
 * @param {ServerStatus} status
 * @returns {Finding[]}
 */
function serverFindings({ agents, draining, probes }) {
  /** @type {Finding[]} */
  const found = probes.filter(({ success }) => success === false).map(({ destination, lastFailure }) => ({
    level: "warn",
    what: `probes do not reach ${destination}`,
    why: lastFailure?.message ?? "",
    todo: lastFailure?.agent === undefined
      ? "No agent was there to dial it: see the agents below."
      : `See whether agent ${lastFailure.agent} can reach it from where it runs.`,
  }));
  const ids = (/** @type {"stalled" | "draining"} */ what) =>
    agents.items.filter((agent) => agent[what]).map(({ id }) => id);
  const stalled = ids("stalled");
  if (stalled.length > 0) {
    found.push({
      level: "warn",
      what: `${counted(stalled.length, "agent")} stalled: a client that does not read holds the whole link back`,
      why: named(stalled),
      todo: "This happens with agents of the original alone, for ten seconds at most; then that tunnel is ended. " +
        "Look below which tunnel waits for its client, and update the agent.",
    });
  }
  const leaving = ids("draining");
  if (leaving.length > 0 && !draining) {
    found.push({
      level: "note",
      what: `${counted(leaving.length, "agent")} draining: no new tunnels, and an end with the last open one`,
      why: named(leaving),
      todo: "Nothing, where agents are being replaced. Otherwise look at who stops them.",
    });
  }
  return found;
}

/**
 * @param {AgentStatus} status
 * @returns {Finding[]}
 */
function agentFindings({ routes, links, serverCount, leases, draining }) {
  /** @type {Finding[]} */
  const found = [];
  const servers = new Set(links.items.filter(({ state }) => state === "up").map(({ server }) => server));
  const failed = routes.filter(({ failure, links }) => failure !== undefined && links === 0);
  for (const { address, proxy, failure, nextAttemptSeconds } of failed.slice(0, shownRoutes)) {
    found.push({
      level: servers.size === 0 ? "bad" : "warn",
      what: `no link to ${address}${proxy === undefined ? "" : ` by ${proxy}`}`,
      ...(failure === undefined ? {} : { why: failure }),
      todo:
        "Look whether the server runs and listens there, whether the network lets this agent reach it, and whether " +
        "each side's certificate is of a CA that the other trusts. " +
        (nextAttemptSeconds === undefined
          ? "The agent tries again by itself."
          : `The agent tries again in ${duration(nextAttemptSeconds)}.`),
    });
  }
  // A lease without a link says by name which server is missing.
  const known = leases?.followed === true && leases.linked < leases.count;
  if (failed.length === 0 && servers.size > 0 && servers.size < serverCount && !known && !draining) {
    found.push({
      level: "warn",
      what: `links to ${servers.size} of ${counted(serverCount, "server")}`,
      todo: "Look whether all servers run, and whether their addresses, or the balancer before them, lead to each. " +
        "The agent goes on looking for the others.",
    });
  }
  return found;
}

/**
 * @param {ServerStatus | AgentStatus} status
 * @param {Seen} seen
 * @returns {Finding[]}
 */
function fewerFindings(status, { links: now, mostLinks = 0, mostLinksSeconds = 0, gone = [] }) {
  if (status.draining || now === undefined || now >= mostLinks) return [];
  const noun = isServer(status) ? "agent" : "server";
  return [{
    level: "warn",
    what: `${counted(mostLinks - now, noun)} fewer than ${duration(mostLinksSeconds)} ago: ${now} of ${mostLinks}`,
    ...(gone.length === 0 ? {} : { why: `gone: ${named(gone)}` }),
    todo: isServer(status)
      ? "Look whether those agents run and are healthy, and at the network between them and this server. Agents that run " +
        "come back by themselves."
      : "Look whether the servers run; the agent connects to them again by itself.",
  }];
}

/**
 * @param {ServerStatus | AgentStatus} status
 * @returns {Finding[]}
 */
function lateDialFindings({ dials }) {
  const late = dials.items.filter(({ seconds }) => seconds >= lateDialSeconds);
  if (late.length === 0) return [];
  const longest = Math.max(...late.map(({ seconds }) => seconds));
  return [{
    level: "warn",
    what: `${counted(late.length, "dial has", "dials have")} waited for up to ${duration(longest)}`,
    why: named([...new Set(late.map(({ destination }) => destination))]),
    todo: "Look whether a firewall drops packets to these destinations, and whether the agents that dial them are " +
      "overloaded.",
  }];
}

/**
 * @param {Seen} seen
 * @returns {Finding[]}
 */
function waitingFindings({ waiting = [] }) {
  if (waiting.length === 0) return [];
  const sum = waiting.reduce((all, { queuedBytes }) => all + queuedBytes, 0);
  const longest = Math.max(...waiting.map(({ seconds }) => seconds));
  const whom = [...new Set(waiting.map(({ whom }) => whom))];
  return [{
    level: "warn",
    what: `${counted(waiting.length, "tunnel waits", "tunnels wait")} for the ${whom.join(" or the ")}, which takes ` +
      `nothing since ${duration(longest)}`,
    why: `${bytes(sum)} held: ${named([...new Set(waiting.map(({ destination }) => destination))])}`,
    todo: "Look at the program at that end: it does not read. Other tunnels go on.",
  }];
}
