// @ts-check
/**
 * Findings of the servers' leases: an API that cannot be followed, a lease that is not renewed, servers and links that do
 * not fit.
 * @module
 */
import { duration, named } from "../texts/units.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/** @typedef {import("../../status/lease_status.ts").LeaseScope} LeaseScope */
/** @typedef {import("../texts/findings.js").Finding} Finding */

/** An API that has not answered for so long, in seconds, is worth a look. */
const silentSeconds = 10;
/** Two lists of leases, in seconds: a server that runs for less may not have seen the lease of each. */
const settledSeconds = 30;

/**
 * @param {AgentStatus} status
 * @returns {Finding[]}
 */
export function agentLeaseFindings({ leases, draining }) {
  if (leases === undefined || draining) return [];
  const { count, items, followed, unfollowedSeconds = 0, failure, withoutLease } = leases;
  if (!followed) {
    if (failure === undefined && unfollowedSeconds < silentSeconds) return [];
    return [{
      level: "warn",
      what: `the servers' leases cannot be followed for ${duration(unfollowedSeconds)}`,
      why: failure ?? "the Kubernetes API does not answer",
      todo:
        "Links stay as they are for ten minutes, and servers that come are not found. Look whether the agent reaches the " +
        `Kubernetes API, and may list and watch leases ${scope(leases)}.`,
    }];
  }
  if (count === 0) {
    return [{
      level: "warn",
      what: "no server holds a lease",
      why: `looked for ${scope(leases)}`,
      todo: "Start the servers with --enable-lease-controller, and give both the same namespace and labels.",
    }];
  }
  /** @type {Finding[]} */
  const found = [];
  const missing = items.filter((item) => item.counts && !item.linked).map(({ holder }) => holder);
  if (missing.length > 0) {
    found.push({
      level: "warn",
      what: `no link to ${named(missing)}, by the servers' leases`,
      todo:
        "Look whether that server runs, and whether the address that the agent has, or the balancer behind it, leads " +
        "to it. The lease of a server that is gone ends by itself.",
    });
  }
  if (withoutLease.length > 0) {
    found.push({
      level: "warn",
      what: `a link to ${named(withoutLease)}, and no lease`,
      todo: "Agents that start now do not look for a server without a lease. Its own page says why it has none.",
    });
  }
  return found;
}

/**
 * @param {ServerStatus} status
 * @returns {Finding[]}
 */
export function serverLeaseFindings({ leases, server, program, draining }) {
  if (leases === undefined || draining) return [];
  const { count, own, failure, listedSeconds } = leases;
  const lost = own.filter((each) => each.failure !== undefined);
  const [first] = lost;
  if (first !== undefined) {
    return [{
      level: "warn",
      what: `its own lease cannot be renewed: ${named(lost.map(({ name }) => name))}`,
      why: `${first.failure}${
        first.renewedSeconds === undefined ? "" : `; renewed ${duration(first.renewedSeconds)} ago`
      }`,
      todo:
        "Agents that count leases do not look for this server once its lease has ended. Look whether it reaches the " +
        `Kubernetes API, and may get, create, update and delete leases ${scope(leases)}.`,
    }];
  }
  if (failure !== undefined) {
    return [{
      level: "warn",
      what: "leases cannot be listed",
      why: failure,
      todo: `Let the server list leases ${scope(leases)}. Until then those of dead servers are left to other servers.`,
    }];
  }
  const { serverCount } = server;
  // A count of one is what a server tells that was given none: leases alone may count.
  if (listedSeconds === undefined || count === serverCount || (serverCount === 1 && count > 1)) return [];
  if (count < serverCount && program.uptimeSeconds < settledSeconds) return [];
  return [{
    level: "warn",
    what: `leases of ${count} servers, where agents are told of ${serverCount}`,
    todo: count > serverCount
      ? "Agents that do not count leases have links to too few servers. Set --server-count to the number of servers."
      : "Agents that count leases do not look for the others. Look whether each server runs, and holds a lease.",
  }];
}

/** @param {LeaseScope} leases */
function scope({ namespace, labelSelector }) {
  return `in ${namespace === "" ? "all namespaces" : namespace} with ${labelSelector || "any label"}`;
}
