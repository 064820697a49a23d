import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/leak_free.ts";
import { until } from "../../tests/support/until.ts";
import { agentAdminApp } from "./admin.ts";
import { agentHealthApp } from "./health.ts";
import { HttpListenError, serveHttp } from "./http_server.ts";

const local = { host: "127.0.0.1", port: 0 };

leakTest("a server answers over real sockets, and its port is free again when it is closed", async () => {
  const server = await serveHttp(local, (request) => new Response(new URL(request.url).pathname));
  const response = await fetch(`http://127.0.0.1:${server.port}/x`);
  assert.equal(await response.text(), "/x");
  await server.close();
  await server.closed;
  await using again = await serveHttp({ ...local, port: server.port }, () => new Response("ok"));
  assert.equal(again.port, server.port);
});

leakTest("an empty host is every address, and an IPv6 host may have brackets", async () => {
  await using anywhere = await serveHttp({ host: "", port: 0 }, () => new Response("ok"));
  assert.equal(await (await fetch(`http://127.0.0.1:${anywhere.port}`)).text(), "ok");
  for (const host of ["::1", "[::1]"]) {
    await using server = await serveHttp({ host, port: 0 }, () => new Response("ok"));
    assert.equal(await (await fetch(`http://[::1]:${server.port}`)).text(), "ok");
  }
});

leakTest("[server W28] [agent weak 29] a port that is taken rejects with the address and the cause", async () => {
  await using first = await serveHttp(local, () => new Response("ok"));
  await assert.rejects(
    serveHttp({ ...local, port: first.port }, () => new Response("ok")),
    (error) => {
      assert.ok(error instanceof HttpListenError);
      assert.equal(error.code, "listen-failed");
      assert.ok(error.message.startsWith(`cannot listen on 127.0.0.1:${first.port}: address already in use`));
      assert.ok(error.cause instanceof Deno.errors.AddrInUse);
      return true;
    },
  );
});

leakTest("an address of another machine, and a name that does not resolve, are clear errors", async () => {
  await assert.rejects(
    serveHttp({ host: "192.0.2.1", port: 0 }, () => new Response("ok")),
    (error) => error instanceof HttpListenError && error.message.includes("192.0.2.1:0: no interface"),
  );
  await assert.rejects(
    serveHttp({ host: "no-such-host.invalid", port: 0 }, () => new Response("ok")),
    (error) => error instanceof HttpListenError && error.message.includes("no-such-host.invalid:0"),
  );
});

Deno.test("a listen that the sandbox refuses says which permission is missing", { permissions: "none" }, async () => {
  for (
    const [host, permission] of [["127.0.0.1", "127.0.0.1:9"], ["", "0.0.0.0:9"], ["::1", "[::1]:9"]] as const
  ) {
    await assert.rejects(
      serveHttp({ host, port: 9 }, () => new Response("ok")),
      (error) =>
        error instanceof HttpListenError && error.code === "listen-failed" &&
        error.message.endsWith(`run with --allow-net=${permission}`),
    );
  }
});

leakTest("a request under way may end before the server does", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = false;
  const server = await serveHttp(local, async () => {
    asked = true;
    await gate.promise;
    return new Response("late");
  });
  const pending = fetch(`http://127.0.0.1:${server.port}`);
  await until("the request has come", () => asked);
  const closing = server.close(60_000);
  const refused = await fetch(`http://127.0.0.1:${server.port}`);
  assert.equal(refused.status, 503);
  assert.equal(await refused.text(), "503 shutting down\n");
  gate.resolve();
  assert.equal(await (await pending).text(), "late");
  await closing;
});

leakTest("a request that does not end is dropped when the grace is over", async () => {
  let asked = false;
  const server = await serveHttp(local, () => {
    asked = true;
    return new Response(new ReadableStream({ pull: () => new Promise<void>(() => {}) }));
  });
  const pending = fetch(`http://127.0.0.1:${server.port}`).then((response) => response.text());
  await until("the request has come", () => asked);
  const rejected = assert.rejects(pending);
  await server.close(10);
  await server.closed;
  await rejected;
});

leakTest("clients that are idle or slow with their header do not hold the server open", async () => {
  const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const sent of ["", "GET / HT", request, `${request}GET / HT`]) {
    const server = await serveHttp(local, () => new Response("ok"));
    const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await client.write(new TextEncoder().encode(sent));
    if (sent.startsWith(request)) await client.read(new Uint8Array(1_000));
    await server.close(60_000);
    client.close();
  }
});

leakTest("a handler that throws is a 500 and the server goes on", async () => {
  let fail = true;
  await using server = await serveHttp(local, () => {
    if (fail) throw new Error("boom");
    return new Response("ok");
  });
  const response = await fetch(`http://127.0.0.1:${server.port}`);
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "500 internal server error\n");
  fail = false;
  assert.equal(await (await fetch(`http://127.0.0.1:${server.port}`)).text(), "ok");
});

leakTest("[agent 6] HEAD gets the header of GET, length included, and no body", async () => {
  const metrics = { text: () => Promise.resolve("up 1\n"), contentType: "text/plain" };
  const app = agentHealthApp({ readiness: () => "no servers connected", metrics });
  await using server = await serveHttp(local, app.fetch);
  for (const path of ["/healthz", "/readyz"]) {
    const url = `http://127.0.0.1:${server.port}${path}`;
    const get = await fetch(url);
    const body = await get.text();
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.status, get.status);
    assert.equal(head.headers.get("content-length"), String(body.length));
    assert.equal(await head.text(), "");
  }
});

leakTest("requests that Fetch does not know get answers too: CONNECT, TRACE, no host, a broken host", async () => {
  const app = agentAdminApp({ healthHost: "", healthPort: 8093, profiling: false });
  await using server = await serveHttp(local, app.fetch);
  const cases: readonly (readonly [request: string, status: string])[] = [
    ["CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "404"],
    ["TRACE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "301"],
    ["GET /metrics HTTP/1.1\r\n\r\n", "301"],
    ["GET /metrics HTTP/1.1\r\nHost: bad host\r\n\r\n", "400"],
    ["garbage\r\n\r\n", "400"],
  ];
  for (const [request, status] of cases) {
    const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await client.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(4_000);
    const read = await client.read(buffer);
    const line = new TextDecoder().decode(buffer.subarray(0, read ?? 0)).split("\r\n")[0];
    assert.ok(line?.includes(` ${status} `), `${JSON.stringify(request)}: ${line}`);
    client.close();
  }
});
