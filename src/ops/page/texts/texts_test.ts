import assert from "node:assert/strict";
import { findings, type Seen, timeOf, worst } from "./findings.js";
import { ago, bytes, count, counted, duration, milliseconds, shortened } from "./units.js";
import { eventLine } from "./event_texts.js";
import type { ServerStatus } from "../../status/server_status.ts";

const page = { total: 0, matched: 0, from: 0, items: [] };
const idle: ServerStatus = {
  version: 1,
  program: { name: "proxy-server", version: "1", startedAt: "2026-11-30T18:00:00.000Z", uptimeSeconds: 3_600 },
  ready: true,
  draining: false,
  listeners: [{ name: "agent", address: ":8091", protocol: "grpc", tls: true }],
  certificates: [{ name: "server", expiresAt: "", expiresInSeconds: 15 * 86_400 }],
  server: { id: "s", serverCount: 1, strategies: ["default"] },
  agents: page,
  tunnels: page,
  dials: page,
  probes: [],
  failures: [],
};

/** What is found, by level and first words. */
function found(change: Partial<ServerStatus>, seen?: Seen): string[] {
  return findings({ ...idle, ...change }, seen).map(({ level, what }) => `${level}: ${what}`);
}

Deno.test("figures are shown in units of people", () => {
  const sizes = [0, 999, 1_000, 9_940, 12_345, 999_600, 3_400_000_000].map(bytes);
  assert.deepEqual(sizes, ["0 B", "999 B", "1.0 kB", "9.9 kB", "12 kB", "1.0 MB", "3.4 GB"]);
  const times = [0, 0.25, 1, 59.9, 61, 185, 3_600, 7_500, 86_400 * 3 + 7_200, 86_400 * 40 + 5].map(duration);
  assert.deepEqual(times, [
    "0 s",
    "250 ms",
    "1 s",
    "59 s",
    "1 min 1 s",
    "3 min 5 s",
    "1 h",
    "2 h 5 min",
    "3 d 2 h",
    "40 d",
  ]);
  assert.deepEqual([0.2, 5].map(ago), ["just now", "5 s ago"]);
  assert.deepEqual([0, 1_992, 1_234_567].map(count), ["0", "1,992", "1,234,567"]);
  assert.deepEqual([1, 2].map((number) => counted(number, "agent")), ["1 agent", "2 agents"]);
  assert.deepEqual([0.421, 4.26, 12.4].map(milliseconds), ["0.42 ms", "4.3 ms", "12 ms"]);
  assert.deepEqual([shortened("node-1", 6), shortened("node-10", 6), shortened("🦕🦕🦕", 2)], [
    "node-1",
    "node-…",
    "🦕…",
  ]);
});

Deno.test("a program that does its work has nothing that needs attention", () => {
  assert.deepEqual(found({}), []);
  assert.equal(worst([]), "well");
});

Deno.test("a destination that probes do not reach is found, one that they do is not", () => {
  const probe = { destination: "10.0.0.9:443", reachable: true, consecutiveFailures: 0 };
  const lastFailure = { time: "", seconds: 0, reason: "error_response", message: "refused" };
  assert.deepEqual(found({ probes: [probe, { ...probe, success: true }, { ...probe, success: false, lastFailure }] }), [
    "warn: probes do not reach 10.0.0.9:443",
  ]);
});

Deno.test("what keeps a server from its work is found, the worst first", () => {
  assert.deepEqual(found({ ready: false, notReady: "no connection to any proxy agent" }), [
    "bad: not ready: it gets no traffic",
  ]);
  assert.deepEqual(found({ draining: true, ready: false, notReady: "proxy server is shutting down" }), [
    "bad: it is shutting down",
  ]);
  assert.deepEqual(
    found({
      certificates: [
        { name: "server", expiresAt: "", expiresInSeconds: 13 * 86_400 },
        { name: "cluster", expiresAt: "", expiresInSeconds: -60 },
      ],
    }),
    ["bad: the cluster certificate has expired 1 min ago", "warn: the server certificate ends in 13 d"],
  );
  const [unready] = findings({ ...idle, ready: false, notReady: "no connection to any proxy agent" });
  assert.match(unready?.todo ?? "", /reach this server at :8091/);
});

Deno.test("failed dials of the last ten minutes are told by reason, with the last message", () => {
  const now = timeOf(idle);
  const failure = (secondsAgo: number, reason: string, destination: string) => ({
    time: new Date(now - secondsAgo * 1000).toISOString(),
    reason,
    destination,
    message: `no ${destination}`,
  });
  const status = {
    ...idle,
    failures: [
      failure(5, "no_agent", "a:1"),
      failure(9, "error_response", "b:1"),
      failure(20, "no_agent", "c:1"),
      failure(601, "send_rsp", "d:1"),
    ],
  };
  const all = findings(status);
  assert.deepEqual(all.map(({ what, why }) => `${what}; ${why}`), [
    "2 dials failed in the last 10 min: no_agent; a:1 and 1 more: no a:1 (5 s ago)",
    "1 dial failed in the last 10 min: error_response; b:1: no b:1 (9 s ago)",
  ]);
  assert.match(all[0]?.todo ?? "", /--proxy-strategies/);
  assert.equal(worst(all), "warn");
});

Deno.test("fewer agents than before, and tunnels that make no progress, are told once that was seen", () => {
  assert.deepEqual(found({}, { links: 0, mostLinks: 3, mostLinksSeconds: 90, gone: ["a", "b"] }), [
    "warn: 3 agents fewer than 1 min 30 s ago: 0 of 3",
  ]);
  assert.deepEqual(found({ draining: true }, { links: 0, mostLinks: 3 }), ["bad: it is shutting down"]);
  assert.deepEqual(
    found({}, { waiting: [{ destination: "a:1", whom: "client", queuedBytes: 5_000, seconds: 12 }] }),
    ["warn: 1 tunnel waits for the client, which takes nothing since 12 s"],
  );
});

Deno.test("events are told in a line, and one of an unknown type in none", () => {
  const time = "2026-11-30T18:00:00.000Z";
  const client = { frontend: "grpc", name: "apiserver", address: "10.0.0.1:1" } as const;
  const line = eventLine({
    type: "dial",
    time,
    id: "1",
    client,
    destination: "a:1",
    agent: "n",
    outcome: "ok",
    ms: 1.5,
  });
  assert.deepEqual(line, { level: "well", what: "tunnel opened", text: "to a:1 for apiserver through n in 1.5 ms" });
  assert.equal(eventLine({ type: "hello" } as never), undefined);
  assert.equal(eventLine({ type: "of-tomorrow" } as never), undefined);
});
