import { Hono } from "hono";
import assert from "node:assert/strict";
import { addPage } from "./page_routes.ts";
import { assets } from "./page_assets.ts";
import type { AgentStatus } from "../status/agent_status.ts";
import type { ServerStatus } from "../status/server_status.ts";

const hostile = "<img src=x onerror=alert(1)>";

const program = { version: "1.2.3", startedAt: "2026-11-30T18:00:00.000Z", uptimeSeconds: 7_265 };
const page = <T>(items: readonly T[]) => ({ total: items.length, matched: items.length, from: 0, items });
const none = { sent: 0, received: 0 };

const server: ServerStatus = {
  version: 1,
  program: { name: "proxy-server", ...program },
  ready: true,
  draining: false,
  listeners: [{ name: "admin", address: "127.0.0.1:8095", protocol: "http", tls: false }],
  certificates: [{ name: "cluster", expiresAt: "2026-12-05T18:00:00.000Z", expiresInSeconds: 5 * 86_400 }],
  server: { id: "server-1", serverCount: 1, strategies: ["default"] },
  agents: page([{
    id: hostile,
    name: "node",
    address: "10.0.0.7:1",
    link: "direct",
    seconds: 60,
    identifiers: [hostile],
    identifierCount: 1,
    draining: false,
    stalled: false,
    tunnels: 1,
    dials: 0,
    queuedBytes: 0,
    bytes: { sent: 1_234_567, received: 0 },
    rate: none,
  }]),
  tunnels: page([{
    id: "7",
    client: { frontend: "grpc", name: "kube-apiserver", address: "10.0.0.1:1" },
    destination: `${hostile}:80`,
    agent: hostile,
    seconds: 1,
    state: "open",
    bytes: none,
    queuedBytes: 0,
  }]),
  dials: page([]),
  probes: [],
  failures: [],
};

const agent: AgentStatus = {
  version: 1,
  program: { name: "proxy-agent", ...program },
  ready: false,
  notReady: "no servers connected",
  draining: false,
  listeners: [],
  certificates: [],
  agent: { id: "agent-1", identifiers: "default-route=true" },
  serverCount: 1,
  routes: [{
    host: "proxy.example",
    address: "10.0.0.2:8091",
    state: "failed",
    links: 0,
    nextAttemptSeconds: 12,
    failure: "connection refused",
  }],
  links: page([]),
  tunnels: page([]),
  dials: page([]),
  failures: [],
};

function appOf(status: unknown): Hono {
  const app = new Hono();
  addPage(app, () => Promise.resolve(JSON.stringify(status)));
  return app;
}

async function pageOf(status: unknown): Promise<string> {
  const response = await appOf(status).request("http://127.0.0.1:8095/");
  assert.equal(response.status, 200);
  return await response.text();
}

Deno.test("the server's page is a summary without any script: its state, what to do, and its tables", async () => {
  const text = await pageOf(server);
  assert.match(text, /^<!doctype html><html lang="en"/);
  assert.match(text, /<title>▲ 1 agent - server-1<\/title>/);
  assert.match(text, /the cluster certificate ends in 5 d/);
  assert.match(text, /Renew it/);
  assert.match(text, /2 h 1 min/);
  assert.match(text, /1\.2 MB →/);
  assert.match(text, /kube-apiserver \(10\.0\.0\.1:1\)/);
});

Deno.test("the agent's page says which server it cannot reach, why, and when it tries again", async () => {
  const text = await pageOf(agent);
  assert.match(text, /<title>✕ not ready, 0 servers - agent-1<\/title>/);
  assert.match(text, /no link to 10\.0\.0\.2:8091/);
  assert.match(text, /connection refused/);
  assert.match(text, /tries again in 12 s/);
});

Deno.test("what peers choose stays text", async () => {
  const text = await pageOf(server);
  assert.ok(!text.includes("<img"), text);
  assert.ok(text.includes("&lt;img src=x onerror=alert(1)&gt;"));
});

Deno.test("the page and its files tell browsers to take nothing from elsewhere and to make no script of text", async () => {
  const app = appOf(server);
  for (const path of ["/", ...[...assets().keys()].map((name) => `/page/${name}`)]) {
    const { headers, status } = await app.request(`http://localhost${path}`);
    assert.equal(status, 200, path);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.match(policy, /base-uri 'none'; form-action 'none'; frame-ancestors 'none'/);
    assert.ok(!/unsafe|\*|http/.test(policy), policy);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), path === "/" ? "no-store" : "no-cache");
  }
});

Deno.test("a file is sent again only when it is another one", async () => {
  const app = appOf(server);
  const first = await app.request("http://localhost/page/browser/main.js");
  const etag = first.headers.get("etag");
  assert.ok(etag);
  assert.match(first.headers.get("content-type") ?? "", /^text\/javascript/);
  assert.ok((await first.text()).length > 0);
  const again = await app.request("http://localhost/page/browser/main.js", { headers: { "if-none-match": etag } });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
});

Deno.test("every file that a file of the page imports is there, and none is there for nothing", () => {
  const files = assets();
  const reached = new Set(["browser/main.js", "browser/page.css", "browser/icon.svg"]);
  for (const path of reached) {
    const asset = files.get(path);
    assert.ok(asset, `${path} is missing`);
    const text = new TextDecoder().decode(asset.bytes);
    // What an import names on its own lines; the types in comments are not for browsers.
    for (const [, name = ""] of text.matchAll(/^(?:import|\}) .*?from "(\.[^"]+)";$/gm)) {
      reached.add(new URL(name, `http://page/${path}`).pathname.slice(1));
    }
  }
  assert.deepEqual([...files.keys()].sort(), [...reached].sort());
});

Deno.test("names of somebody else's and methods that write are refused", async () => {
  const app = appOf(server);
  for (const path of ["/", "/page/browser/main.js"]) {
    assert.equal((await app.request(`http://rebound.example${path}`)).status, 403, path);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const response = await app.request(`http://localhost${path}`, { method });
      assert.equal(response.status, 405, path);
      assert.equal(response.headers.get("allow"), "GET, HEAD");
    }
    assert.equal((await app.request(`http://[::1]${path}`, { method: "HEAD" })).status, 200);
  }
  for (const path of ["/page/browser/nothing.js", "/page/browser/..%2fpage_test.ts", "/page/page_test.ts"]) {
    assert.equal((await app.request(`http://localhost${path}`)).status, 404, path);
  }
});
