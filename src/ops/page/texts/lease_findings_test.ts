import assert from "node:assert/strict";
import { agentLeases, agentStatus, server, serverLeases } from "../../../../tests/support/memory/status_samples.ts";
import type { AgentStatus } from "../../status/agent_status.ts";
import type { ServerStatus } from "../../status/server_status.ts";
import { findings } from "./findings.js";

/** What is found, by level and first words. */
function found(status: AgentStatus | ServerStatus): string[] {
  return findings(status).map(({ level, what }) => `${level}: ${what}`);
}

const forbidden = "status 403 Forbidden";

Deno.test("leases that fit the links, and a program without leases, have nothing that needs attention", () => {
  assert.deepEqual(found(agentStatus({ leases: agentLeases(["s1"]) })), []);
  assert.deepEqual(found(server({ leases: serverLeases("s1", ["s2", "s3"]) })), []);
  assert.deepEqual([found(agentStatus()), found(server())], [[], []]);
});

Deno.test("a page of an agent tells which server has a lease and no link, and which link has no lease", () => {
  assert.deepEqual(found(agentStatus({ serverCount: 3, leases: agentLeases(["s1"], ["s2", "s3"]) })), [
    "warn: no link to s2, s3, by the servers' leases",
  ]);
  assert.deepEqual(found(agentStatus({ leases: agentLeases(["s2"], [], { withoutLease: ["s1"] }) })), [
    "warn: a link to s1, and no lease",
  ]);
  // Where leases do not explain it, the count does.
  assert.deepEqual(found(agentStatus({ serverCount: 3, leases: agentLeases(["s1"]) })), [
    "warn: links to 1 of 3 servers",
  ]);
  assert.deepEqual(found(agentStatus({ leases: agentLeases([]) })), ["warn: no server holds a lease"]);
});

Deno.test("a page of an agent tells for how long and why it cannot follow leases, once it has asked in vain", () => {
  const away = { followed: false, unfollowedSeconds: 185 };
  const [finding] = findings(agentStatus({ leases: agentLeases(["s1"], [], { ...away, failure: forbidden }) }));
  assert.equal(finding?.what, "the servers' leases cannot be followed for 3 min 5 s");
  assert.equal(finding.why, forbidden);
  assert.match(finding.todo, /may list and watch leases in kube-system with k8s-app=konnectivity-server\.$/);
  assert.deepEqual(found(agentStatus({ leases: agentLeases([], [], away) })), [
    "warn: the servers' leases cannot be followed for 3 min 5 s",
  ]);
  assert.deepEqual(found(agentStatus({ leases: agentLeases([], [], { ...away, unfollowedSeconds: 3 }) })), []);
});

Deno.test("a page of a server tells that its lease is not renewed, that none can be listed, and that the count differs", () => {
  const own = [{ name: "konnectivity-proxy-server-s1", held: true, renewedSeconds: 20, failure: forbidden }];
  const [finding] = findings(server({ leases: serverLeases("s1", ["s2", "s3"], { own }) }));
  assert.equal(finding?.what, "its own lease cannot be renewed: konnectivity-proxy-server-s1");
  assert.equal(finding.why, `${forbidden}; renewed 20 s ago`);
  assert.deepEqual(found(server({ leases: serverLeases("s1", ["s2", "s3"], { failure: forbidden }) })), [
    "warn: leases cannot be listed",
  ]);
  const two = serverLeases("s1", ["s2"]);
  assert.deepEqual(found(server({ leases: two })), ["warn: leases of 2 servers, where agents are told of 3"]);
  const one = { id: "s1", serverCount: 1, strategies: ["default"] } as const;
  assert.deepEqual(found(server({ leases: two, server: one })), []);
  const young = { ...server().program, uptimeSeconds: 10 };
  assert.deepEqual(found(server({ leases: two, program: young })), []);
  assert.deepEqual(found(server({ leases: serverLeases("s1", [], { own }), draining: true })), [
    "bad: it is shutting down",
  ]);
});
