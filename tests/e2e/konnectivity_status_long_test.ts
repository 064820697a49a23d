import assert from "node:assert/strict";
import { serveHttp } from "../../src/net/pages/http_server.ts";
import { serverAdminApp } from "../../src/ops/admin.ts";
import { RecentFailures } from "../../src/ops/status/recent_failures.ts";
import { ServerStatusReader } from "../../src/ops/status/server_status.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { eventHub } from "../support/memory/watched_hub.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { ServerWorld } from "../support/memory/server_world.ts";
import { konnectivity } from "../support/processes/konnectivity.ts";

leakTest(
  "status of a server with 10,000 agents is read page by page, and shows the first unless all are wanted",
  async () => {
    const world = new ServerWorld({});
    for (let at = 0; at < 10_000; at++) await world.agent({ agentid: `agent-${at}` });
    const requests: string[] = [];
    const reader = new ServerStatusReader({
      facts: {
        name: "proxy-server",
        version: "v0",
        notReady: () => undefined,
        draining: () => false,
        listeners: () => [],
        certificates: () => [],
      },
      server: () => ({ id: "large", serverCount: 1, strategies: ["default"] }),
      backends: () => world.server.pool.all(),
      failures: new RecentFailures(),
      probes: () => [],
    });
    const app = serverAdminApp({
      metrics: { text: () => Promise.resolve(""), contentType: "text/plain" },
      status: async (query) => {
        requests.push(`${query.agents.from}+${query.agents.size}`);
        return JSON.stringify(await reader.read(query));
      },
      events: eventHub(),
      profiling: undefined,
    });
    await using served = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
    const args = ["status", "--admin", `127.0.0.1:${served.port}`];
    const summary = await konnectivity(args);
    assert.match(summary.stdout, /agents +10000 links, of 10000 agents, /);
    assert.match(summary.stdout, /\.\.\. +9990 more: --all shows them/);
    assert.ok(summary.stdout.split("\n").length < 30, summary.stdout);
    assert.deepEqual(requests, Array.from({ length: 10 }, (_, at) => `${at * 1_000}+1000`));
    const all = await konnectivity([...args, "--all"]);
    assert.equal(all.stdout.match(/ agent-\d+ /g)?.length, 10_000);
    assert.equal(all.code, 0);
  },
);
