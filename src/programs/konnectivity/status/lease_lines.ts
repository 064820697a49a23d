import type { AgentStatus } from "../../../ops/status/agent_status.ts";
import type { LeaseEntry, LeaseScope, OwnLeaseStatus, ServerLeases } from "../../../ops/status/lease_status.ts";
import type { ServerStatus } from "../../../ops/status/server_status.ts";
import { count, listed, span, type StatusLine } from "./status_line.ts";

/** Two lists, in seconds: a server that runs for less may not have seen the lease of each. */
const settledSeconds = 30;

/** An API that has not answered for so long, in seconds, is worth a look. */
const silentSeconds = 10;

/** Ids that a line names. */
const namedIds = 5;

/** The leases that an agent counts, against its links; nothing where it counts none. */
export function agentLeaseLines({ leases, serverCount }: AgentStatus, limit: number): readonly StatusLine[] {
  if (leases === undefined) return [];
  const { items, total, followed, unfollowedSeconds = 0, failure, withoutLease } = leases;
  const counted = items.filter(({ counts }) => counts);
  const missing = leases.count - leases.linked;
  const holders = (linked: boolean) => counted.filter((item) => item.linked === linked).map(({ holder }) => holder);
  const held = [
    holding(leases.count),
    ...(leases.linked === 0 ? [] : [`linked to ${leases.linked}: ${named(holders(true), leases.linked)}`]),
    ...(missing === 0 ? [] : [`no link to ${named(holders(false), missing)}`]),
    ...(withoutLease.length === 0 ? [] : [`a link and no lease: ${named(withoutLease, withoutLease.length)}`]),
  ].join("; ");
  const line = {
    name: "leases",
    children: listed(
      items.map((item) => leaseLine(item, item.linked ? "linked" : "not linked")),
      total,
      limit,
    ),
  };
  if (!followed) {
    if (failure === undefined && unfollowedSeconds < silentSeconds) {
      return [{ ...line, health: "Inactive", text: "the Kubernetes API is being asked" }];
    }
    return [{
      ...line,
      health: "Degraded",
      text: `not followed for ${span(unfollowedSeconds)}: ${failure ?? "no answer"}; as far as is known ${held}`,
      action: "links stay as they are for ten minutes, and servers that come are not found: let the agent reach the " +
        `Kubernetes API, and list and watch leases ${
          scopeText(leases)
        }; konnectivity check agent -- FLAGS says what it may not`,
    }];
  }
  if (leases.count === 0) {
    return [{
      ...line,
      health: "Degraded",
      text: `no server holds one ${scopeText(leases)}, and the agent looks for ${count(serverCount, "server")}`,
      action:
        "give the servers --enable-lease-controller, and both the same namespace and labels (--lease-namespace, " +
        "--lease-label, --lease-label-selector)",
    }];
  }
  if (missing > 0) {
    return [{
      ...line,
      health: "Degraded",
      text: held,
      action:
        "a lease of a server that is gone ends by itself; where the server runs, its routes below say why it has no " +
        "link",
    }];
  }
  if (withoutLease.length > 0) {
    return [{
      ...line,
      health: "Degraded",
      text: held,
      action:
        "agents that start now do not look for a server without a lease: its own status says whether it has one, " +
        "and why it cannot renew it",
    }];
  }
  return [{ ...line, health: "Healthy", text: held }];
}

/** A server's own lease, and those of all; nothing where it holds none. */
export function serverLeaseLines({ leases, server, program, draining }: ServerStatus, limit: number): StatusLine[] {
  if (leases === undefined) return [];
  const { own, items, total, failure, listedSeconds } = leases;
  const others = items.filter((item) => !item.own);
  const lost = own.find((each) => each.failure !== undefined);
  const line = {
    name: "leases",
    children: listed(
      [...own.map(ownLine), ...others.map((item) => leaseLine(item))],
      own.length + total - (items.length - others.length),
      limit,
    ),
  };
  if (draining) return [{ ...line, health: "Inactive", text: "given up, so that agents look for another server" }];
  if (lost !== undefined) {
    return [{
      ...line,
      health: "Degraded",
      text: `the own lease ${lost.name} cannot be renewed: ${lost.failure}`,
      action: "agents that count leases do not look for this server once it has ended: let the server get, create, " +
        `update, delete and list leases ${scopeText(leases)}; konnectivity check server -- FLAGS says what it may not`,
    }];
  }
  if (failure !== undefined) {
    return [{
      ...line,
      health: "Degraded",
      text: `they cannot be listed: ${failure}`,
      action: "those of dead servers stay, unless another server deletes them: let the server list leases " +
        `${scopeText(leases)}; konnectivity check server -- FLAGS says what it may not`,
    }];
  }
  if (listedSeconds === undefined) return [{ ...line, health: "Inactive", text: "not listed yet" }];
  return [{ ...line, ...countLine(leases, server.serverCount, program.uptimeSeconds) }];
}

/** How many servers hold a lease, against what agents are told that do not count them. */
function countLine(
  leases: ServerLeases,
  serverCount: number,
  uptimeSeconds: number,
): Pick<StatusLine, "health" | "text" | "action"> {
  const text = holding(leases.count);
  const told = `agents are told of ${serverCount} (--server-count${leases.own.length > 1 ? " times --workers" : ""})`;
  if (leases.count === serverCount) return { health: "Healthy", text };
  // A count of one is what a server tells that was given none: leases alone may count.
  if (serverCount === 1 && leases.count > 1) {
    return { health: "Healthy", text: `${text}; agents that do not count leases are told of 1 (--server-count)` };
  }
  if (leases.count < serverCount && uptimeSeconds < settledSeconds) {
    return { health: "Inactive", text: `${text} so far, and ${told}` };
  }
  return {
    health: "Degraded",
    text: `${text}, and ${told}`,
    action: leases.count > serverCount
      ? `agents without --count-server-leases make links to ${serverCount} servers only: set --server-count to the number ` +
        "of servers, or have agents count leases"
      : "agents with --count-server-leases make links to those alone: look whether each server runs, and has " +
        `--enable-lease-controller and leases ${scopeText(leases)}`,
  };
}

function ownLine({ name, held, renewedSeconds, failure, worker }: OwnLeaseStatus): StatusLine {
  const text = [
    held ? "its own" : "its own, not held",
    ...(renewedSeconds === undefined ? [] : [`renewed ${span(renewedSeconds)} ago`]),
    ...(failure === undefined ? [] : [`last failure: ${failure}`]),
    ...(worker === undefined ? [] : [`worker ${worker}`]),
  ].join(", ");
  // What fails is said above, once for all workers.
  return { health: held && failure === undefined ? "Healthy" : "Inactive", name, text };
}

function leaseLine({ name, holder, endsInSeconds, counts }: LeaseEntry, ...more: readonly string[]): StatusLine {
  const end = endsInSeconds === undefined
    ? "names no end"
    : endsInSeconds > 0
    ? `ends in ${span(endsInSeconds)}`
    : `ended ${span(-endsInSeconds)} ago`;
  const text = [`server ${holder}`, end, ...(counts ? more : ["does not count"])].join(", ");
  return { health: counts ? "Healthy" : "Inactive", name, text };
}

function scopeText({ namespace, labelSelector }: LeaseScope): string {
  return `in ${namespace === "" ? "all namespaces" : namespace} with ${labelSelector || "any label"}`;
}

function holding(servers: number): string {
  return servers === 1 ? "1 server holds a lease" : `${servers} servers hold leases`;
}

/** @param all how many there are, named or not */
function named(ids: readonly string[], all: number): string {
  const first = ids.slice(0, namedIds);
  return `${first.join(", ")}${all > first.length ? ` and ${all - first.length} more` : ""}`;
}
