import assert from "node:assert/strict";
import {
  agentLeases,
  agentStatus,
  findLine,
  type LineCase,
  pageOf,
  server,
  serverLeases,
  testLines,
} from "../../../../tests/support/memory/status_samples.ts";
import type { AgentStatus } from "../../../ops/status/agent_status.ts";
import type { ServerStatus } from "../../../ops/status/server_status.ts";
import { agentLines } from "./agent_lines.ts";
import { serverLines } from "./server_lines.ts";
import type { Health, StatusLine } from "./status_line.ts";

const renewed = { name: "konnectivity-proxy-server-s1", held: true, renewedSeconds: 18 };
const program = { name: "proxy-server", version: "0.37.0", startedAt: "2026-01-01T00:00:00.000Z" } as const;
const facts = { id: "s1", strategies: ["default"] } as const;
const young = { program: { ...program, uptimeSeconds: 20 } };
const links = pageOf(...["a", "b"].map((id) => ({ ...linkOf(agentStatus()), server: id })));

function linkOf({ links: { items } }: AgentStatus) {
  const [link] = items;
  return link ?? assert.fail("the sample has no link");
}

function ofAgent(
  what: string,
  leases: AgentStatus["leases"],
  expected: Pick<LineCase, "health" | "text" | "action">,
  changes: Partial<AgentStatus> = {},
): LineCase {
  const whole = expected.health === "Degraded" ? "Degraded" : "Healthy";
  const line = agentLines(
    agentStatus({ links, serverCount: 2, ...(leases === undefined ? {} : { leases }), ...changes }),
    10,
  );
  return { what: `an agent ${what}`, line, whole, name: "leases", ...expected };
}

function ofServer(
  what: string,
  leases: ServerStatus["leases"],
  expected: Pick<LineCase, "health" | "text" | "action"> & { readonly whole?: Health },
  changes: Partial<ServerStatus> = {},
): LineCase {
  const whole = expected.health === "Degraded" ? "Degraded" : "Healthy";
  const line = serverLines(server({ ...(leases === undefined ? {} : { leases }), ...changes }), 10);
  return { what: `a server ${what}`, line, whole, name: "leases", ...expected };
}

testLines([
  ofAgent("that is linked to each server with a lease", agentLeases(["a", "b"]), {
    health: "Healthy",
    text: /^2 servers hold leases; linked to 2: a, b$/,
  }),
  ofAgent("that has no link to a server with a lease", agentLeases(["a", "b"], ["c"]), {
    health: "Degraded",
    text: /^3 servers hold leases; linked to 2: a, b; no link to c$/,
    action: /^a lease of a server that is gone ends by itself; .* its routes below say why/,
  }, { serverCount: 3 }),
  ofAgent(
    "that has links to more servers than a line has room for",
    agentLeases(["1", "2", "3", "4", "5", "6", "7"]),
    { health: "Healthy", text: /^7 servers hold leases; linked to 7: 1, 2, 3, 4, 5 and 2 more$/ },
  ),
  ofAgent("with a link to a server that has no lease", agentLeases(["a"], [], { withoutLease: ["b"] }), {
    health: "Degraded",
    text: /^1 server holds a lease; linked to 1: a; a link and no lease: b$/,
    action: /^agents that start now do not look for a server without a lease/,
  }),
  ofAgent("that finds no lease", agentLeases([]), {
    health: "Degraded",
    text: /^no server holds one in kube-system with k8s-app=konnectivity-server, and the agent looks for 1 server$/,
    action: /^give the servers --enable-lease-controller, and both the same namespace and labels/,
  }, { serverCount: 1 }),
  ofAgent(
    "that cannot follow leases",
    agentLeases(["a", "b"], [], { followed: false, unfollowedSeconds: 300, failure: "status 403 Forbidden" }),
    {
      health: "Degraded",
      text: /^not followed for 5m: status 403 Forbidden; as far as is known 2 servers hold leases; linked to 2: a, b$/,
      action: /list and watch leases in kube-system with .*; konnectivity check agent -- FLAGS says what it may not$/,
    },
  ),
  ofAgent(
    "whose API says nothing",
    agentLeases([], [], { namespace: "", labelSelector: "", followed: false, unfollowedSeconds: 11 }),
    {
      health: "Degraded",
      text: /^not followed for 11s: no answer; /,
      action: /leases in all namespaces with any label;/,
    },
  ),
  ofAgent("that has just begun to ask", agentLeases([], [], { followed: false, unfollowedSeconds: 2 }), {
    health: "Inactive",
    text: /^the Kubernetes API is being asked$/,
  }),
  ofServer("with its own lease and those of all others", serverLeases("s1", ["s2", "s3"]), {
    health: "Healthy",
    text: /^3 servers hold leases$/,
  }),
  ofServer("that was given no count", serverLeases("s1", ["s2"]), {
    health: "Healthy",
    text: /^2 servers hold leases; agents that do not count leases are told of 1 \(--server-count\)$/,
  }, { server: { ...facts, serverCount: 1 } }),
  ofServer("among more servers than it tells agents", serverLeases("s1", ["s2", "s3"]), {
    health: "Degraded",
    text: /^3 servers hold leases, and agents are told of 2 \(--server-count\)$/,
    action: /^agents without --count-server-leases make links to 2 servers only: set --server-count/,
  }, { server: { ...facts, serverCount: 2 } }),
  ofServer("among fewer servers than it tells agents", serverLeases("s1", ["s2"]), {
    health: "Degraded",
    text: /^2 servers hold leases, and agents are told of 3 \(--server-count\)$/,
    action: /^agents with --count-server-leases make links to those alone: look whether each server runs/,
  }),
  ofServer("that has just started, and may not have seen each lease", serverLeases("s1"), {
    health: "Inactive",
    text: /^1 server holds a lease so far, and agents are told of 3 \(--server-count\)$/,
  }, young),
  ofServer(
    "whose own lease is not renewed",
    serverLeases("s1", ["s2", "s3"], { own: [{ ...renewed, failure: "status 403 Forbidden" }] }),
    {
      health: "Degraded",
      text: /^the own lease konnectivity-proxy-server-s1 cannot be renewed: status 403 Forbidden$/,
      action: /get, create, update, delete and list leases in kube-system with .*; konnectivity check server -- FLAGS/,
    },
  ),
  ofServer("that cannot list leases", serverLeases("s1", [], { failure: "status 403 Forbidden" }), {
    health: "Degraded",
    text: /^they cannot be listed: status 403 Forbidden$/,
    action: /let the server list leases in kube-system with /,
  }),
  ofServer("that has not listed leases yet", {
    namespace: "kube-system",
    labelSelector: "",
    own: [{ name: renewed.name, held: false }],
    count: 0,
    items: [],
    total: 0,
  }, { health: "Inactive", text: /^not listed yet$/ }),
  {
    ...ofServer("that drains", serverLeases("s1", [], { own: [{ name: renewed.name, held: false }] }), {
      health: "Inactive",
      text: /^given up, so that agents look for another server$/,
    }, { draining: true }),
    whole: "Degraded",
  },
]);

const below = ({ children = [] }: StatusLine) => children.map(({ health, name, text }) => [health, name, text]);

Deno.test("below the line of leases stands each lease: whose, when it ends, and what is of it", () => {
  const [a, b] = agentLeases(["a"], ["b"]).items;
  assert.ok(a !== undefined && b !== undefined);
  const items = [a, { ...b, endsInSeconds: -40 }, { ...b, name: "over", endsInSeconds: -90, counts: false }];
  const leases = { ...agentLeases(["a"], ["b"]), items, total: 5 };
  const agentLine = findLine(agentLines(agentStatus({ leases }), 3), "leases");
  assert.deepEqual(below(agentLine), [
    ["Healthy", "konnectivity-proxy-server-b", "server b, ends in 20s, not linked"],
    ["Healthy", "konnectivity-proxy-server-a", "server a, ended 40s ago, linked"],
    ["Inactive", "over", "server a, ended 1m 30s ago, does not count"],
    ["Inactive", "...", "2 more: --all shows them"],
  ]);
  const own = [{ ...renewed, worker: 0 }, { name: "w1", held: false, failure: "refused", worker: 1 }];
  const serverLine = findLine(serverLines(server({ leases: serverLeases("s1", ["s2"], { own }) }), 10), "leases");
  assert.deepEqual(below(serverLine), [
    ["Healthy", "konnectivity-proxy-server-s1", "its own, renewed 18s ago, worker 0"],
    ["Inactive", "w1", "its own, not held, last failure: refused, worker 1"],
    ["Healthy", "konnectivity-proxy-server-s2", "server s2, ends in 20s"],
  ]);
});

Deno.test("a status without leases has no line of them, and the servers' line of an agent with leases does not tell them again", () => {
  for (const line of [agentLines(agentStatus(), 10), serverLines(server(), 10)]) {
    assert.ok(!(line.children ?? []).some(({ name }) => name === "leases"));
  }
  const leases = agentLeases(["a", "b"], ["c"]);
  const servers = findLine(agentLines(agentStatus({ links, serverCount: 3, leases }), 10), "servers");
  assert.equal(servers.text, "linked to 2 of 3");
  assert.doesNotMatch(`${servers.text} ${servers.action}`, /--server-count|\bc\b/);
});
