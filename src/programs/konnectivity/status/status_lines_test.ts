import assert from "node:assert/strict";
import {
  agent,
  agentStatus,
  certificate,
  empty,
  findLine,
  type LineCase,
  pageOf,
  server,
  testLines,
} from "../../../../tests/support/memory/status_samples.ts";
import { agentLines } from "./agent_lines.ts";
import { serverLines } from "./server_lines.ts";

const dial = {
  id: "1",
  client: { frontend: "grpc", name: "kube-apiserver", address: "@" },
  destination: "10.0.0.9:10250",
  agent: "a1",
  seconds: 2,
} as const;

const failure = { reason: "no_agent", message: "No agent available", destination: "10.0.0.9:1", client: "@" };

const reached = { time: "2026-01-01T00:00:00.000Z", seconds: 0.012, agent: "a1" } as const;
const destination = "10.0.0.9:443";

const cases: readonly LineCase[] = [
  {
    what: "a probe that reaches its destination",
    line: serverLines(
      server({
        probes: [{ destination, success: true, reachable: true, consecutiveFailures: 0, lastSuccess: reached }],
      }),
      10,
    ),
    whole: "Healthy",
    name: destination,
    health: "Healthy",
    text: /^reached in 12 ms by agent a1$/,
  },
  {
    what: "a probe that does not reach its destination, of one worker",
    line: serverLines(
      server({
        probes: [{
          destination,
          success: false,
          reachable: true,
          consecutiveFailures: 1,
          lastSuccess: reached,
          lastFailure: { ...reached, reason: "error_response", message: "connection refused" },
          worker: 1,
        }],
      }),
      10,
    ),
    whole: "Degraded",
    name: destination,
    health: "Degraded",
    text: /^not reached \(error_response\): connection refused, worker 1$/,
    action: /^see whether agent a1 can reach 10\.0\.0\.9:443 from where it runs$/,
  },
  {
    what: "a sound server",
    line: serverLines(server(), 10),
    whole: "Healthy",
    name: "agents",
    health: "Healthy",
    text: /^1 link, of 1 agent, 1 direct, 0 over gRPC, 1\.0 KiB\/s out, 2\.0 KiB\/s in$/,
  },
  {
    what: "an agent",
    line: serverLines(server(), 10),
    whole: "Healthy",
    name: "a1",
    health: "Healthy",
    text: /^test client at 10\.0\.0\.5:4711, direct for 1h 1m, 1\.3 ms away, 1 tunnel, .* default-route=true$/,
  },
  {
    what: "a server without agents",
    line: serverLines(server({ agents: empty, ready: false, notReady: "no agents" }), 10),
    whole: "Down",
    name: "agents",
    health: "Down",
    text: /^none is connected, every dial fails$/,
    action: /konnectivity status on its admin port/,
  },
  {
    what: "a server without descriptors",
    line: serverLines(server({ ready: false, notReady: "no file descriptors are left for agent connections" }), 10),
    whole: "Down",
    name: "proxy-server s1",
    health: "Down",
    text: /^not ready: no file descriptors/,
    action: /ulimit -n/,
  },
  {
    what: "a server that drains",
    line: serverLines(server({ ready: false, draining: true, notReady: "draining" }), 10),
    whole: "Degraded",
    name: "proxy-server s1",
    health: "Degraded",
    text: /^draining, version/,
    action: /start another one/,
  },
  {
    what: "a certificate that ends soon",
    line: serverLines(server({ certificates: [certificate(5)] }), 10),
    whole: "Degraded",
    name: "cluster",
    health: "Degraded",
    text: /^ends in 5d, on 2026-02-01$/,
    action: /renew its file/,
  },
  {
    what: "a certificate that has ended",
    line: serverLines(server({ certificates: [certificate(-1)] }), 10),
    whole: "Degraded",
    name: "cluster",
    health: "Down",
    text: /^expired 1d ago/,
    action: /every peer refuses it: renew/,
  },
  {
    what: "an agent that is stalled",
    line: serverLines(server({ agents: pageOf(agent("a1"), agent("a2", { stalled: true })) }), 1),
    whole: "Degraded",
    name: "a2",
    health: "Degraded",
    text: /^stalled, /,
    action: /--agent a2/,
  },
  {
    what: "an agent that drains",
    line: serverLines(server({ agents: pageOf(agent("a1"), agent("a2", { draining: true, link: "grpc" })) }), 10),
    whole: "Healthy",
    name: "agents",
    health: "Healthy",
    text: /^2 links, of 2 agents, 1 direct, 1 over gRPC, 1 draining/,
  },
  {
    what: "a dial that waits",
    line: serverLines(server({ dials: pageOf({ ...dial, seconds: 12 }) }), 10),
    whole: "Degraded",
    name: "10.0.0.9:10250",
    health: "Degraded",
    text: /^from kube-apiserver, sent to agent a1 12s ago$/,
    action: /agent a1 has not answered/,
  },
  {
    what: "a tunnel that waits for its client",
    line: serverLines(
      server({
        tunnels: pageOf({
          ...dial,
          state: "open",
          bytes: { sent: 3, received: 4_096 },
          queuedBytes: 2_048,
          waitsFor: "client",
        }),
      }),
      10,
    ),
    whole: "Healthy",
    name: "10.0.0.9:10250",
    health: "Healthy",
    text: /3 B sent, 4\.0 KiB received, 2\.0 KiB wait for the client$/,
  },
  {
    what: "dials that fail now, by the server's own time of day",
    line: serverLines(server({ failures: [{ ...failure, time: "2026-01-02T01:00:50.000Z" }] }), 10),
    whole: "Degraded",
    name: "failures",
    health: "Degraded",
    text: /^1 in the last minute/,
    action: /^no agent fits: connect one/,
  },
  {
    what: "dials that failed an hour ago",
    line: serverLines(server({ failures: [{ ...failure, time: "2026-01-02T00:01:01.000Z" }] }), 10),
    whole: "Healthy",
    name: "no_agent",
    health: "Inactive",
    text: /^1h ago, @ to 10\.0\.0\.9:1: No agent available$/,
  },
  {
    what: "a sound agent",
    line: agentLines(agentStatus(), 10),
    whole: "Healthy",
    name: "servers",
    health: "Healthy",
    text: /^linked to 1 of 1$/,
  },
  {
    what: "an agent without a link",
    line: agentLines(agentStatus({ links: empty, ready: false, notReady: "no servers connected" }), 10),
    whole: "Down",
    name: "servers",
    health: "Down",
    text: /^linked to none of 1$/,
    action: /the routes below say/,
  },
  {
    what: "an agent that is linked to fewer servers than there are",
    line: agentLines(agentStatus({ serverCount: 3 }), 10),
    whole: "Degraded",
    name: "servers",
    health: "Degraded",
    text: /^linked to 1 of 3$/,
    action: /--server-count of the servers counts servers that there are not/,
  },
  {
    what: "a route that fails",
    line: agentLines(
      agentStatus({
        routes: [{
          host: "s.example",
          address: "10.0.0.2:8091",
          proxy: "http://proxy:3128",
          state: "failed",
          links: 0,
          nextAttemptSeconds: 4,
          failure: "connection refused",
        }],
      }),
      10,
    ),
    whole: "Degraded",
    name: "10.0.0.2:8091",
    health: "Degraded",
    text:
      /^failed, an address of s\.example, by proxy http:\/\/proxy:3128, tried again in 4s, last failure: connection/,
    action: /konnectivity check agent/,
  },
];

testLines(cases);

Deno.test("a long list is cut, what is wrong comes first, and the rest is counted", () => {
  const agents = Array.from({ length: 50 }, (_, at) => agent(`a${at}`, { stalled: at === 49 }));
  const shown = findLine(serverLines(server({ agents: pageOf(...agents) }), 3), "agents").children ?? [];
  assert.deepEqual(shown.map(({ name }) => name), ["a49", "a0", "a1", "..."]);
  assert.equal(shown[3]?.text, "47 more: --all shows them");
  const all = findLine(serverLines(server({ agents: pageOf(...agents) }), Infinity), "agents").children ?? [];
  assert.equal(all.length, 50);
});

Deno.test("a reason that each object has a member of is one that nobody knows", () => {
  const time = new Date().toISOString();
  for (const reason of ["constructor", "__proto__", "toString"]) {
    const { action } = findLine(serverLines(server({ failures: [{ ...failure, reason, time }] }), 3), "failures");
    assert.equal(action, "see each message", reason);
  }
});
