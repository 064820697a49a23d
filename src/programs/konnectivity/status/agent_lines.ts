import type { AgentStatus, EndpointEntry, LinkEntry, RouteEntry } from "../../../ops/status/agent_status.ts";
import { agentLeaseLines } from "./lease_lines.ts";
import { programLine } from "./program_lines.ts";
import { count, heading, listed, size, span, type StatusLine } from "./status_line.ts";

/** A destination that is being connected to for so long, in seconds, hardly answers any more. */
const longDialSeconds = 10;

/** The status of an agent as lines. @param limit most entries of each list */
export function agentLines(status: AgentStatus, limit: number): StatusLine {
  const { id, identifiers } = status.agent;
  return programLine(status, {
    name: id,
    text: identifiers === "" ? "no identifiers" : `identifiers ${identifiers}`,
    own: [
      serversLine(status, limit),
      ...agentLeaseLines(status, limit),
      heading(
        "routes",
        count(status.routes.length, "way") + " to servers",
        listed(
          status.routes.map(routeLine),
          status.routes.length,
          limit,
        ),
      ),
      endpointsLine("tunnels", "open", status.tunnels, limit),
      endpointsLine("dials", "pending", status.dials, limit),
    ],
    limit,
  });
}

function serversLine({ links, serverCount, leases }: AgentStatus, limit: number): StatusLine {
  const { total, matched, items } = links;
  const linked = new Set(items.filter(({ state }) => state === "up").map(({ server }) => server)).size;
  const children = listed(items.map(linkLine), matched, limit);
  if (total === 0) {
    return {
      health: "Down",
      name: "servers",
      text: `linked to none of ${serverCount}`,
      action:
        "the routes below say what each attempt failed with; konnectivity check agent -- FLAGS tries them by itself",
    };
  }
  if (matched < total) return heading("servers", `${matched} of ${count(total, "link")}`, children);
  if (linked >= serverCount) return heading("servers", `linked to ${linked} of ${serverCount}`, children);
  return {
    health: linked === 0 ? "Down" : "Degraded",
    name: "servers",
    text: `linked to ${linked} of ${serverCount}`,
    action: "the others get no traffic by this agent: see the routes below; where every route is linked, " +
      (leases === undefined
        ? "--server-count of the servers counts servers that there are not, or the balancer leads to the same one"
        : "the balancer leads to the same one; the leases below say which servers there are"),
    children,
  };
}

function linkLine(link: LinkEntry): StatusLine {
  const { server, address, seconds, roundTripMs, state, tunnels, dials, queuedBytes, rate } = link;
  const text = [
    ...(state === "up" ? [] : [state === "draining" ? "the server drains" : "retired, ends with its last tunnel"]),
    `${link.link === "direct" ? "direct" : "over gRPC"} to ${address} for ${span(seconds)}`,
    ...(roundTripMs === undefined ? [] : [`${roundTripMs.toFixed(1)} ms away`]),
    count(tunnels, "tunnel"),
    ...(dials === 0 ? [] : [count(dials, "dial")]),
    ...(queuedBytes === 0 ? [] : [`${size(queuedBytes)} queued`]),
    `${size(rate.sent)}/s out, ${size(rate.received)}/s in`,
  ].join(", ");
  return { health: state === "up" ? "Healthy" : "Inactive", name: server, text };
}

function routeLine({ host, address, proxy, state, links, nextAttemptSeconds, failure }: RouteEntry): StatusLine {
  const words: Readonly<Record<RouteEntry["state"], string>> = {
    connecting: "is being connected to",
    linked: count(links, "link"),
    duplicate: "leads to a server that is linked already",
    failed: "failed",
    untried: "not tried yet",
  };
  const text = [
    words[state],
    ...(address.startsWith(`${host}:`) ? [] : [`an address of ${host}`]),
    ...(proxy === undefined ? [] : [`by proxy ${proxy}`]),
    ...(nextAttemptSeconds === undefined ? [] : [`tried again in ${span(nextAttemptSeconds)}`]),
    ...(failure === undefined ? [] : [`last failure: ${failure}`]),
  ].join(", ");
  if (state !== "failed") {
    const health = state === "linked" || state === "duplicate" ? "Healthy" : "Inactive";
    return { health, name: address, text };
  }
  return {
    health: "Degraded",
    name: address,
    text,
    action: `mend what the failure names; konnectivity check agent -- FLAGS says where the way${
      proxy === undefined ? "" : ` by ${proxy}`
    } ends`,
  };
}

function endpointsLine(
  name: "tunnels" | "dials",
  word: string,
  { total, matched, items }: AgentStatus["tunnels"],
  limit: number,
): StatusLine {
  const text = matched === total ? `${total} ${word}` : `${matched} of ${total} that are ${word}`;
  if (matched === 0) return { health: "Inactive", name, text };
  return heading(name, text, listed(items.map(name === "tunnels" ? tunnelLine : dialLine), matched, limit));
}

function tunnelLine({ server, destination, seconds, state, bytes, queuedBytes }: EndpointEntry): StatusLine {
  const text = [
    `from server ${server}`,
    `${state} for ${span(seconds)}`,
    `${size(bytes.sent)} sent, ${size(bytes.received)} received`,
    ...(queuedBytes === 0 ? [] : [`${size(queuedBytes)} wait for the destination`]),
  ].join(", ");
  return { health: state === "open" ? "Healthy" : "Inactive", name: destination, text };
}

function dialLine({ server, destination, seconds }: EndpointEntry): StatusLine {
  const line = { name: destination, text: `from server ${server}, ${span(seconds)} ago` };
  if (seconds < longDialSeconds) return { health: "Healthy", ...line };
  return { health: "Degraded", ...line, action: `look whether a firewall drops what is sent to ${destination}` };
}
