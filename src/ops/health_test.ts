import type { Hono } from "hono";
import assert from "node:assert/strict";
import { eventHub } from "../../tests/support/memory/watched_hub.ts";
import { agentAdminApp, serverAdminApp } from "./admin.ts";
import { agentHealthApp, serverHealthApp } from "./health.ts";

const noStatus = () => Promise.resolve("{}");
const noEvents = eventHub();

const metrics = {
  text: () => Promise.resolve("# TYPE up gauge\nup 1\n"),
  contentType: "text/plain; version=0.0.4; charset=utf-8",
};

const textType = "text/plain; charset=utf-8";

async function expect(app: Hono, path: string, status: number, body: string, init?: RequestInit): Promise<Response> {
  const response = await app.request(path, init);
  const name = `${init?.method ?? "GET"} ${path}`;
  assert.equal(await response.text(), body, name);
  assert.equal(response.status, status, name);
  return response;
}

const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"];

Deno.test("[server 10] /healthz is 200 ok for any method, ready or not", async () => {
  const app = serverHealthApp({ readiness: () => "never", metrics });
  for (const method of methods) {
    const response = await expect(app, "/healthz", 200, "ok", { method });
    assert.equal(response.headers.get("content-type"), textType);
  }
});

Deno.test("[server 10] /readyz and its old name /ready are 200 ok, or 500 with the reason", async () => {
  let reason: string | undefined = "no connection to any proxy agent";
  const app = serverHealthApp({ readiness: () => reason, metrics });
  for (const path of ["/readyz", "/ready", "/readyz?verbose"]) {
    for (const method of methods) {
      const response = await expect(app, path, 500, "no connection to any proxy agent", { method });
      assert.equal(response.headers.get("content-type"), textType);
    }
  }
  reason = undefined;
  for (const path of ["/readyz", "/ready", "/readyz?verbose"]) await expect(app, path, 200, "ok");
});

Deno.test("[agent 6] the agent's readiness lists its checks with ?verbose, whatever its value, and is 503 when one fails", async () => {
  const state: { reason?: string } = {};
  const app = agentHealthApp({ readiness: () => state.reason, metrics });
  await expect(app, "/healthz", 200, "ok");
  for (const path of ["/readyz", "/ready"]) {
    await expect(app, path, 200, "ok");
    for (const query of ["?verbose", "?verbose=", "?verbose=false", "?a=b&verbose=1"]) {
      const response = await expect(app, path + query, 200, "[+]ping ok\n[+]server-connected ok\ncheck passed\n");
      assert.equal(response.headers.get("content-type"), textType);
    }
  }
  state.reason = "no servers connected";
  const failed = "[+]ping ok\n[-]server-connected failed: no servers connected\n";
  for (const path of ["/readyz", "/ready", "/readyz?verbose", "/readyz?verbose=false"]) {
    const response = await expect(app, path, 503, failed);
    assert.equal(response.headers.get("content-type"), textType);
  }
  await expect(app, "/readyz", 503, "", { method: "HEAD" });
});

Deno.test("[server 10] [agent 6] every other path is Go's 404", async () => {
  const readiness = () => undefined;
  const apps = [
    serverHealthApp({ readiness, metrics }),
    agentHealthApp({ readiness, metrics }),
    serverAdminApp({ metrics, profiling: undefined, status: noStatus, events: noEvents }),
    agentAdminApp({ healthHost: "", healthPort: 8093, profiling: undefined, status: noStatus, events: noEvents }),
  ];
  for (const app of apps) {
    for (
      const path of [
        "/page",
        "/page/",
        "/page/x.js",
        "/livez",
        "/healthz/",
        "/metrics/x",
        "/debug/pprof",
        "/debug/pprof/",
        "/debug/pprof/heap",
      ]
    ) {
      const response = await expect(app, path, 404, "404 page not found\n");
      assert.equal(response.headers.get("content-type"), textType);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    }
  }
});

Deno.test("[server 10] /metrics is on the health and on the admin port, compressed for who takes that", async () => {
  for (
    const app of [
      serverHealthApp({ readiness: () => undefined, metrics }),
      serverAdminApp({ metrics, profiling: undefined, status: noStatus, events: noEvents }),
    ]
  ) {
    const plain = await expect(app, "/metrics", 200, "# TYPE up gauge\nup 1\n");
    assert.equal(plain.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(plain.headers.get("content-encoding"), null);
    for (const refusing of ["gzip;q=0", "identity", "br"]) {
      const response = await expect(app, "/metrics", 200, "# TYPE up gauge\nup 1\n", {
        headers: { "accept-encoding": refusing },
      });
      assert.equal(response.headers.get("content-encoding"), null);
    }
    const zipped = await app.request("/metrics", { headers: { "accept-encoding": "deflate, gzip;q=0.8" } });
    assert.equal(zipped.headers.get("content-encoding"), "gzip");
    assert.ok(zipped.body);
    const text = await new Response(zipped.body.pipeThrough(new DecompressionStream("gzip"))).text();
    assert.equal(text, "# TYPE up gauge\nup 1\n");
  }
});

Deno.test("[agent 6] the agent's admin port sends /metrics to the health port", async () => {
  const app = agentAdminApp({
    healthHost: "",
    healthPort: 8093,
    profiling: undefined,
    status: noStatus,
    events: noEvents,
  });
  const cases: readonly (readonly [url: string, location: string])[] = [
    ["http://127.0.0.1:8094/metrics", "//127.0.0.1:8093/metrics"],
    ["http://127.0.0.1:8094/metrics?a=b&c=%22d", "//127.0.0.1:8093/metrics?a=b&c=%22d"],
    ["http://agent.example/metrics", "//agent.example:8093/metrics"],
  ];
  for (const [url, location] of cases) {
    const body = `<a href="${location.replaceAll("&", "&amp;")}">Moved Permanently</a>.\n\n`;
    const response = await expect(app, url, 301, body);
    assert.equal(response.headers.get("location"), location);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  }
  const head = await expect(app, "http://127.0.0.1:8094/metrics", 301, "", { method: "HEAD" });
  assert.equal(head.headers.get("location"), "//127.0.0.1:8093/metrics");
});

Deno.test("[agent weak 30] the redirect of /metrics works for IPv6, heeds the health host, and is not cached", async () => {
  const anywhere = agentAdminApp({
    healthHost: "::",
    healthPort: 8093,
    profiling: undefined,
    status: noStatus,
    events: noEvents,
  });
  for (const url of ["http://[::1]/metrics", "http://[::1]:8094/metrics"]) {
    const response = await anywhere.request(url);
    assert.equal(response.headers.get("location"), "//[::1]:8093/metrics");
    assert.equal(response.headers.get("cache-control"), "no-store");
    await response.body?.cancel();
  }
  for (
    const [healthHost, host] of [["10.0.0.7", "10.0.0.7"], ["fd00::7", "[fd00::7]"], [
      "[fd00::7]",
      "[fd00::7]",
    ]] as const
  ) {
    const app = agentAdminApp({ healthHost, healthPort: 9, profiling: undefined, status: noStatus, events: noEvents });
    const response = await app.request("http://127.0.0.1:8094/metrics");
    assert.equal(response.headers.get("location"), `//${host}:9/metrics`);
    await response.body?.cancel();
  }
});

Deno.test("a scrape that fails is a 500 without the reason, and the next one works", async () => {
  let broken = true;
  const source = {
    ...metrics,
    text: () => broken ? Promise.reject(new Error("secret reason")) : Promise.resolve("fine\n"),
  };
  const app = serverHealthApp({ readiness: () => undefined, metrics: source });
  await expect(app, "/metrics", 500, "500 internal server error\n");
  broken = false;
  await expect(app, "/metrics", 200, "fine\n");
});
