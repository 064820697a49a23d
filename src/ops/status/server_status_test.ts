import assert from "node:assert/strict";
import { ServerWorld } from "../../../tests/support/memory/server_world.ts";
import { RecentFailures } from "./recent_failures.ts";
import { ServerStatusReader } from "./server_status.ts";
import { parseStatusQuery } from "./status_query.ts";

Deno.test("what peers choose is shown to a bound: identifiers, destinations and what failed", async () => {
  const world = new ServerWorld({});
  const failures = new RecentFailures();
  failures.add({ reason: "no_agent", message: "m".repeat(10_000), destination: "d".repeat(10_000) });
  const hosts = Array.from({ length: 500 }, (_, at) => `host=${"h".repeat(50)}${at}.example`);
  const agent = await world.agent({ agentid: "many", "agentidentifiers": ["default-route=true", ...hosts].join("&") });
  assert.equal(agent.refusal, undefined);
  const reader = new ServerStatusReader({
    facts: {
      name: "proxy-server",
      version: "v0",
      notReady: () => undefined,
      draining: () => false,
      listeners: () => [],
      certificates: () => [],
    },
    server: () => ({ id: "s", serverCount: 1, strategies: [] }),
    backends: () => world.server.pool.all(),
    probes: () => [],
    failures,
  });
  const status = await reader.read(parseStatusQuery(new URLSearchParams()));
  const [entry] = status.agents.items;
  assert.equal(entry?.identifierCount, 501);
  assert.equal(entry.identifiers.length, 32);
  assert.equal(entry.identifiers[0], "default-route=true");
  assert.equal(status.failures[0]?.destination.length, 257);
  assert.ok(JSON.stringify(status).length < 5_000);
});
