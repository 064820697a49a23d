import { Hono } from "hono";
import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { until } from "../../tests/support/assert/until.ts";
import { serveHttp } from "../net/pages/http_server.ts";
import { addProfiling, type ProfilingOptions } from "./profiling.ts";
import { systemClock } from "../runtime/system_clock.ts";

function profilingApp(options: Partial<ProfilingOptions> = {}): Hono {
  const app = new Hono();
  addProfiling(app, { heapSnapshots: true, loopbackOnly: true, ...options });
  return app;
}

/** Keeps the process busy under a name that a profile shows. */
function spinForAWhile(ms: number): number {
  let sum = 0;
  for (const end = performance.now() + ms; performance.now() < end;) sum += Math.sqrt(sum + 1);
  return sum;
}

leakTest("[server 10] [agent 6] /debug/pprof leads to an index of the profiles that there are", async () => {
  const app = profilingApp();
  const redirect = await app.request("/debug/pprof");
  assert.equal(redirect.status, 301);
  assert.equal(redirect.headers.get("location"), "/debug/pprof/");
  assert.equal(await redirect.text(), '<a href="/debug/pprof/">Moved Permanently</a>.\n\n');
  const index = await app.request("/debug/pprof/");
  assert.equal(index.status, 200);
  assert.equal(index.headers.get("content-type"), "text/html; charset=utf-8");
  const page = await index.text();
  for (const name of ["profile", "allocs", "heap"]) assert.ok(page.includes(`href="${name}`), name);
});

leakTest(
  "[server 10] [agent 6] cmdline and invented names are 'Unknown profile', Go's own profiles are explained",
  async () => {
    const app = profilingApp();
    for (const name of ["cmdline", "nonsense", "profile/x"]) {
      const response = await app.request(`/debug/pprof/${name}`);
      assert.equal(response.status, 404);
      assert.equal(await response.text(), "Unknown profile\n");
    }
    for (const name of ["goroutine", "block", "mutex", "threadcreate", "trace"]) {
      const response = await app.request(`/debug/pprof/${name}?debug=1`);
      assert.equal(response.status, 404);
      const text = await response.text();
      assert.ok(text.includes(`no ${name} profile`) && text.endsWith("\n"), text);
    }
    const symbol = await app.request("/debug/pprof/symbol", { method: "POST", body: "0x1" });
    assert.equal(symbol.status, 200);
    assert.equal(await symbol.text(), "num_symbols: 0\n");
  },
);

leakTest("a CPU profile shows the function that was busy meanwhile", async () => {
  const response = await profilingApp().request("/debug/pprof/profile?seconds=0.3");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-disposition") ?? "", /^attachment; filename="\d+\.cpuprofile"$/);
  spinForAWhile(200);
  const profile = await response.json();
  assert.ok(profile.samples.length > 0);
  const names: string[] = profile.nodes.map(({ callFrame }: { callFrame: { functionName: string } }) =>
    callFrame.functionName
  );
  assert.ok(names.includes("spinForAWhile"));
});

leakTest("an allocation profile and a heap snapshot are what developer tools open", async () => {
  const app = profilingApp();
  const allocs = await app.request("/debug/pprof/allocs?seconds=0.05");
  assert.ok("head" in await allocs.json());
  const heap = await app.request("/debug/pprof/heap");
  assert.match(heap.headers.get("content-disposition") ?? "", /\.heapsnapshot"$/);
  const snapshot = await heap.json();
  assert.ok(snapshot.snapshot.meta.node_fields.length > 0);
  assert.ok(snapshot.nodes.length > 1_000);
});

leakTest("one profile at a time: a second one is refused, and allowed when the first is done", async () => {
  const app = profilingApp();
  const first = await app.request("/debug/pprof/profile?seconds=300");
  for (const name of ["profile", "allocs", "heap"]) {
    const second = await app.request(`/debug/pprof/${name}`);
    assert.equal(second.status, 409);
    assert.equal(await second.text(), "another profile is being made, try again later\n");
  }
  await first.body?.cancel();
  const next = await until("the profiler is free", async () => {
    const response = await app.request("/debug/pprof/profile?seconds=0.01");
    return response.status === 200 && await response.json();
  });
  assert.ok("samples" in next);
});

leakTest("a client that goes away ends its profile", async () => {
  const app = profilingApp();
  await using server = await serveHttp({ host: "127.0.0.1", port: 0 }, app.fetch, systemClock);
  const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await client.write(
    new TextEncoder().encode("GET /debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  );
  await client.read(new Uint8Array(1_000));
  const busy = await app.request("/debug/pprof/allocs");
  assert.equal(busy.status, 409);
  await busy.body?.cancel();
  client.close();
  await until("the profiler is free", async () => {
    const response = await app.request("/debug/pprof/allocs?seconds=0.001");
    await response.body?.cancel();
    return response.status === 200;
  });
});

leakTest("HEAD makes no profile, and a length that is too long is refused", async () => {
  const app = profilingApp();
  for (const name of ["profile", "allocs", "heap"]) {
    const head = await app.request(`/debug/pprof/${name}`, { method: "HEAD" });
    assert.equal(head.status, 200);
  }
  const long = await app.request("/debug/pprof/profile?seconds=301");
  assert.equal(long.status, 400);
  assert.equal(await long.text(), "seconds is over 300\n");
});

Deno.test("where the sandbox does not allow profiles the answer says so", { permissions: "none" }, async () => {
  for (const name of ["profile", "allocs", "heap"]) {
    const response = await profilingApp().request(`/debug/pprof/${name}`);
    assert.equal(response.status, 503);
    assert.equal(await response.text(), "the permission sandbox does not allow profiles, run with --allow-sys\n");
  }
});

const profiles = ["profile?seconds=0.01", "allocs?seconds=0.01", "heap", "", "symbol", "goroutine"];

leakTest("on a loopback address a request that was made to another host gets no profile: DNS rebinding", async () => {
  const app = profilingApp();
  for (
    const host of ["evil.example", "evil.example:8094", "10.0.0.1", "127.0.0.1.evil.example", "localhost.evil.example"]
  ) {
    for (const profile of profiles) {
      const response = await app.request(`http://${host}/debug/pprof/${profile}`, { headers: { host } });
      assert.equal(response.status, 403, `${host} ${profile}`);
      assert.match(await response.text(), /^profiles are served only to requests to a loopback address/);
      const forged = await app.request(`http://localhost/debug/pprof/${profile}`, { headers: { host } });
      assert.equal(forged.status, 403, `${host} behind localhost: ${profile}`);
      await forged.body?.cancel();
    }
  }
  for (const host of ["localhost", "LOCALHOST:8094", "127.0.0.1", "127.0.0.1:8094", "[::1]:8094", "127.9.9.9"]) {
    const response = await app.request(`http://${host}/debug/pprof/`, { headers: { host } });
    assert.equal(response.status, 200, host);
  }
});

leakTest("on every address profiles are served to any host, heap snapshots to a loopback one alone", async () => {
  const app = profilingApp({ loopbackOnly: false });
  const index = await app.request("http://node.example:8094/debug/pprof/");
  assert.equal(index.status, 200);
  const heap = await app.request("http://node.example:8094/debug/pprof/heap");
  assert.equal(heap.status, 403);
  const local = await app.request("http://127.0.0.1:8094/debug/pprof/heap", { method: "HEAD" });
  assert.equal(local.status, 200);
});

leakTest("heap snapshots are served only where they are enabled, and the index has them only there", async () => {
  const app = profilingApp({ heapSnapshots: false });
  for (const method of ["GET", "HEAD", "POST"]) {
    const heap = await app.request("/debug/pprof/heap", { method });
    assert.equal(heap.status, 403, method);
    if (method !== "HEAD") assert.match(await heap.text(), /private keys .* --enable-heap-snapshots\n$/);
  }
  const page = await (await app.request("/debug/pprof/")).text();
  assert.ok(page.includes("allocs") && !page.includes('href="heap"'), page);
});
