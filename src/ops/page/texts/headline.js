// @ts-check
/**
 * What stands above everything else: the title of the window, and the facts of the program.
 * @module
 */
import { isServer } from "../texts/findings.js";
import { ago, counted, duration } from "../texts/units.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */

/** Signs of the state, which a tab shows when there is no room for more. */
const signs = { well: "●", note: "●", warn: "▲", bad: "✕" };

/**
 * The window's title: `● 3 agents - server-1`.
 * @param {ServerStatus | AgentStatus} status
 * @param {"well" | "note" | "warn" | "bad"} level
 * @param {number} [agents] how many a server has, which may have several links each; absent: as many as links
 * @returns {string}
 */
export function titleOf(status, level, agents) {
  const [what, name] = isServer(status)
    ? [counted(agents ?? status.agents.total, "agent"), status.server.id]
    : [counted(linkedServers(status), "server"), status.agent.id];
  return `${signs[level]} ${status.ready ? "" : status.draining ? "shutting down, " : "not ready, "}${what} - ${name}`;
}

/**
 * Servers that an agent has a link to.
 * @param {AgentStatus} status
 */
export function linkedServers({ links }) {
  return new Set(links.items.map(({ server }) => server)).size;
}

/**
 * The facts of a program, as names and values.
 * @param {ServerStatus | AgentStatus} status
 * @returns {(readonly [string, string])[]}
 */
export function facts(status) {
  const { program, listeners, certificates } = status;
  return [
    ["State", status.draining ? "shutting down" : status.ready ? "ready" : "not ready"],
    ["Up for", duration(program.uptimeSeconds)],
    ...(isServer(status) ? serverFacts(status) : agentFacts(status)),
    ["Listens", listeners.map(({ name, address, tls }) => `${name} ${address}${tls ? " (TLS)" : ""}`).join(", ")],
    [
      "Certificates",
      certificates.map(({ name, expiresInSeconds: rest }) =>
        rest <= 0 ? `${name} expired ${ago(-rest)}` : `${name} for ${duration(rest)}`
      ).join(", ") || "none",
    ],
  ];
}

/**
 * @param {ServerStatus} status
 * @returns {(readonly [string, string])[]}
 */
function serverFacts({ server, agents, tunnels, dials }) {
  return [
    ["Agents", counted(agents.total, "link")],
    ["Tunnels", `${counted(tunnels.total, "tunnel")}, ${counted(dials.total, "dial")} waiting`],
    ["Servers", `one of ${server.serverCount}`],
    ["Strategies", server.strategies.join(", ")],
  ];
}

/**
 * @param {AgentStatus} status
 * @returns {(readonly [string, string])[]}
 */
function agentFacts(status) {
  const { agent, serverCount, tunnels, dials } = status;
  return [
    ["Servers", `links to ${linkedServers(status)} of ${serverCount}`],
    ["Tunnels", `${counted(tunnels.total, "tunnel")}, ${counted(dials.total, "dial")} waiting`],
    ["Stands for", agent.identifiers === "" ? "–" : agent.identifiers],
  ];
}
