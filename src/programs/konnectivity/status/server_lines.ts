import type { ProbeStatus } from "../../../ops/status/probe_status.ts";
import type { AgentEntry, DialEntry, ServerStatus, TunnelEntry } from "../../../ops/status/server_status.ts";
import { serverLeaseLines } from "./lease_lines.ts";
import { programLine } from "./program_lines.ts";
import { count, heading, listed, size, span, type StatusLine } from "./status_line.ts";

/** A dial that an agent has not answered for so long, in seconds, is worth a look. */
const longDialSeconds = 10;

/** Identifiers of an agent that are shown. */
const shownIdentifiers = 3;

/** The status of a server as lines. @param limit most entries of each list */
export function serverLines(status: ServerStatus, limit: number): StatusLine {
  const { id, serverCount, strategies } = status.server;
  return programLine(status, {
    name: id,
    text: `${serverCount === 1 ? "the only server" : `one of ${serverCount} servers`}, strategies ${
      strategies.join(", ")
    }`,
    own: [
      agentsLine(status, limit),
      ...serverLeaseLines(status, limit),
      ...probesLines(status),
      tunnelsLine(status, limit),
      dialsLine(status, limit),
    ],
    limit,
  });
}

function agentsLine({ agents }: ServerStatus, limit: number): StatusLine {
  const { total, matched, items } = agents;
  if (total === 0) {
    return {
      health: "Down",
      name: "agents",
      text: "none is connected, every dial fails",
      action:
        "look at an agent: konnectivity status on its admin port shows why it has no link, konnectivity check what " +
        "is wrong with its flags",
    };
  }
  const direct = items.filter(({ link }) => link === "direct").length;
  const stalled = items.filter(({ stalled }) => stalled).length;
  const draining = items.filter(({ draining }) => draining).length;
  const rate = { sent: 0, received: 0 };
  for (const each of items) {
    rate.sent += each.rate.sent;
    rate.received += each.rate.received;
  }
  const ids = new Set(items.map(({ id }) => id)).size;
  const text = [
    matched === total ? count(total, "link") : `${matched} of ${count(total, "link")}`,
    `of ${count(ids, "agent")}`,
    `${direct} direct, ${items.length - direct} over gRPC`,
    ...(stalled === 0 ? [] : [`${stalled} stalled`]),
    ...(draining === 0 ? [] : [`${draining} draining`]),
    `${size(rate.sent)}/s out, ${size(rate.received)}/s in`,
  ].join(", ");
  return heading("agents", text, listed(items.map(agentLine), matched, limit));
}

function agentLine(agent: AgentEntry): StatusLine {
  const { id, name, address, link, seconds, roundTripMs, tunnels, dials, queuedBytes, rate } = agent;
  const text = [
    name === address ? address : `${name} at ${address}`,
    `${link === "direct" ? "direct" : "over gRPC"} for ${span(seconds)}`,
    ...(roundTripMs === undefined ? [] : [`${roundTripMs.toFixed(1)} ms away`]),
    count(tunnels, "tunnel"),
    ...(dials === 0 ? [] : [count(dials, "dial")]),
    ...(queuedBytes === 0 ? [] : [`${size(queuedBytes)} queued`]),
    `${size(rate.sent)}/s out, ${size(rate.received)}/s in`,
    ...(agent.worker === undefined ? [] : [`worker ${agent.worker}`]),
    ...identifiersOf(agent),
  ].join(", ");
  if (agent.stalled) {
    return {
      health: "Degraded",
      name: id,
      text: `stalled, ${text}`,
      action:
        `a client that does not read holds up every tunnel of this link: find it by --agent ${id} among those that ` +
        "wait for the client; an agent of this project does not stall",
    };
  }
  if (agent.draining) return { health: "Inactive", name: id, text: `draining, ${text}` };
  return { health: "Healthy", name: id, text };
}

function identifiersOf({ identifiers, identifierCount }: AgentEntry): string[] {
  if (identifierCount === 0) return [];
  const shown = identifiers.slice(0, shownIdentifiers).join(" ");
  return [identifierCount > shownIdentifiers ? `${shown} and ${identifierCount - shownIdentifiers} more` : shown];
}

/** Nothing where the server probes no destination. */
function probesLines({ probes }: ServerStatus): StatusLine[] {
  if (probes.length === 0) return [];
  const reached = probes.filter(({ success }) => success === true).length;
  return [heading("probes", `${reached} of ${count(probes.length, "destination")} reached`, probes.map(probeLine))];
}

function probeLine({ destination, success, lastSuccess, lastFailure, worker }: ProbeStatus): StatusLine {
  const by = worker === undefined ? "" : `, worker ${worker}`;
  if (success === undefined) return { health: "Inactive", name: destination, text: `no probe has ended yet${by}` };
  if (success) {
    const took = lastSuccess === undefined ? "" : ` in ${Math.round(lastSuccess.seconds * 1000)} ms`;
    const agent = lastSuccess?.agent === undefined ? "" : ` by agent ${lastSuccess.agent}`;
    return { health: "Healthy", name: destination, text: `reached${took}${agent}${by}` };
  }
  return {
    health: "Degraded",
    name: destination,
    text: `not reached (${lastFailure?.reason ?? "unknown"}): ${lastFailure?.message ?? ""}${by}`,
    action: lastFailure?.agent === undefined
      ? "no agent was there to dial it: see the agents above"
      : `see whether agent ${lastFailure.agent} can reach ${destination} from where it runs`,
  };
}

function tunnelsLine({ tunnels }: ServerStatus, limit: number): StatusLine {
  const { total, matched, items } = tunnels;
  const text = matched === total ? `${total} open` : `${matched} of ${total} that are open`;
  if (matched === 0) return { health: "Inactive", name: "tunnels", text };
  return heading("tunnels", text, listed(items.map(tunnelLine), matched, limit));
}

function tunnelLine(
  { client, destination, agent, seconds, state, bytes, queuedBytes, waitsFor }: TunnelEntry,
): StatusLine {
  const text = [
    `from ${client.name} by agent ${agent}`,
    `${state} for ${span(seconds)}`,
    `${size(bytes.sent)} sent, ${size(bytes.received)} received`,
    ...(waitsFor === undefined ? [] : [`${size(queuedBytes)} wait for the ${waitsFor}`]),
  ].join(", ");
  return { health: state === "open" ? "Healthy" : "Inactive", name: destination, text };
}

function dialsLine({ dials }: ServerStatus, limit: number): StatusLine {
  const { matched, items } = dials;
  if (matched === 0) return { health: "Inactive", name: "dials", text: "none is pending" };
  return heading("dials", `${matched} pending`, listed(items.map(dialLine), matched, limit));
}

function dialLine({ client, destination, agent, seconds }: DialEntry): StatusLine {
  const line = { name: destination, text: `from ${client.name}, sent to agent ${agent} ${span(seconds)} ago` };
  if (seconds < longDialSeconds) return { health: "Healthy", ...line };
  return {
    health: "Degraded",
    ...line,
    action:
      `agent ${agent} has not answered: look at its status, and whether a firewall drops what it sends to ${destination}`,
  };
}
