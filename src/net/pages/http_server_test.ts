import assert from "node:assert/strict";
import { eventHub } from "../../../tests/support/memory/watched_hub.ts";
import { connect, type Socket } from "node:net";
import { expectFaults } from "../../../tests/support/assert/faults.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { agentAdminApp } from "../../ops/admin.ts";
import { agentHealthApp } from "../../ops/health.ts";
import { serveHttp } from "./http_server.ts";
import { ListenError } from "../tcp/listen.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const noStatus = () => Promise.resolve("{}");
const noEvents = eventHub();

const local = { host: "127.0.0.1", port: 0 };

leakTest("a server answers over real sockets, and its port is free again when it is closed", async () => {
  const server = await serveHttp(local, (request) => new Response(new URL(request.url).pathname), systemClock);
  const response = await fetch(`http://127.0.0.1:${server.port}/x`);
  assert.equal(await response.text(), "/x");
  await server.close();
  await server.closed;
  await using again = await serveHttp({ ...local, port: server.port }, () => new Response("ok"), systemClock);
  assert.equal(again.port, server.port);
});

leakTest("an empty host is every address, and an IPv6 host may have brackets", async () => {
  await using anywhere = await serveHttp({ host: "", port: 0 }, () => new Response("ok"), systemClock);
  assert.equal(await (await fetch(`http://127.0.0.1:${anywhere.port}`)).text(), "ok");
  for (const host of ["::1", "[::1]"]) {
    await using server = await serveHttp({ host, port: 0 }, () => new Response("ok"), systemClock);
    assert.equal(await (await fetch(`http://[::1]:${server.port}`)).text(), "ok");
  }
});

leakTest("[server W28] [agent weak 29] a port that is taken rejects with the address and the cause", async () => {
  await using first = await serveHttp(local, () => new Response("ok"), systemClock);
  await assert.rejects(
    serveHttp({ ...local, port: first.port }, () => new Response("ok"), systemClock),
    (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.code, "listen-failed");
      assert.ok(error.message.startsWith(`cannot listen on 127.0.0.1:${first.port}: address already in use`));
      assert.ok(Reflect.get(Object(error.cause), "code") === "EADDRINUSE");
      return true;
    },
  );
});

leakTest("an address of another machine, and a name that does not resolve, are clear errors", async () => {
  await assert.rejects(
    serveHttp({ host: "192.0.2.1", port: 0 }, () => new Response("ok"), systemClock),
    (error) => error instanceof ListenError && error.message.includes("192.0.2.1:0: no interface"),
  );
  await assert.rejects(
    serveHttp({ host: "no-such-host.invalid", port: 0 }, () => new Response("ok"), systemClock),
    (error) => error instanceof ListenError && /no-such-host.invalid/.test(error.message),
  );
});

Deno.test("a listen that the sandbox refuses says which permission is missing", { permissions: "none" }, async () => {
  for (
    const [host, permission] of [["127.0.0.1", "127.0.0.1:9"], ["", "0.0.0.0:9"], ["::1", "[::1]:9"]] as const
  ) {
    await assert.rejects(
      serveHttp({ host, port: 9 }, () => new Response("ok"), systemClock),
      (error) =>
        error instanceof ListenError && error.code === "listen-failed" &&
        error.message.endsWith(`run with --allow-net=${permission}`),
    );
  }
});

leakTest("a request in flight may end before the server does", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = false;
  const server = await serveHttp(local, async () => {
    asked = true;
    await gate.promise;
    return new Response("late");
  }, systemClock);
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
  }, systemClock);
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
    const server = await serveHttp(local, () => new Response("ok"), systemClock);
    const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await client.write(new TextEncoder().encode(sent));
    if (sent.startsWith(request)) await client.read(new Uint8Array(1_000));
    await server.close(60_000);
    client.close();
  }
});

leakTest("a handler that throws is a 500 and the server goes on", async () => {
  using faults = expectFaults();
  let fail = true;
  await using server = await serveHttp(local, () => {
    if (fail) throw new Error("boom");
    return new Response("ok");
  }, systemClock);
  const response = await fetch(`http://127.0.0.1:${server.port}`);
  assert.equal(response.status, 500);
  assert.equal(await response.text(), "500 internal server error\n");
  assert.deepEqual(faults.seen.map(({ place, error }) => `${place}: ${error.message}`), ["request: boom"]);
  fail = false;
  assert.equal(await (await fetch(`http://127.0.0.1:${server.port}`)).text(), "ok");
});

leakTest("[agent 6] HEAD gets the header of GET, length included, and no body", async () => {
  const metrics = { text: () => Promise.resolve("up 1\n"), contentType: "text/plain" };
  const app = agentHealthApp({ readiness: () => "no servers connected", metrics });
  await using server = await serveHttp(local, app.fetch, systemClock);
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

leakTest(
  "requests that Fetch does not know get answers, as Go's server answers them: CONNECT, TRACE, no host, two hosts",
  async () => {
    const app = agentAdminApp({
      healthHost: "",
      healthPort: 8093,
      profiling: undefined,
      status: noStatus,
      events: noEvents,
    });
    await using server = await serveHttp(local, app.fetch, systemClock);
    const cases: readonly (readonly [request: string, status: string])[] = [
      ["CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "405"],
      ["TRACE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "301"],
      ["GET /metrics HTTP/1.0\r\n\r\n", "301"],
      ["GET /metrics HTTP/1.1\r\n\r\n", "400"],
      ["GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "400"],
      ["GET /metrics HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n", "400"],
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
  },
);

leakTest("a client that asks for a tunnel at a port of pages and leaves is forgotten", async () => {
  let open = 0;
  const admission = {
    admits: () => true,
    accepted(socket: Socket) {
      open++;
      socket.on("close", () => open--);
    },
  };
  const answer = () => new Response("no tunnels here");
  await using server = await serveHttp({ host: "127.0.0.1", port: 0 }, answer, systemClock, admission);
  const client = connect(server.port, "127.0.0.1");
  client.on("error", () => {});
  client.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nmore");
  await new Promise((resolve) => client.once("data", resolve));
  assert.equal(open, 1);
  client.destroy();
  await until("its connection is closed", () => open === 0);
});

leakTest(
  "of requests that come before their answers one is served, and its answer is the connection's last",
  async () => {
    let served = 0;
    await using server = await serveHttp(local, async () => {
      served++;
      await new Promise((resolve) => setTimeout(resolve));
      return new Response("page");
    }, systemClock);
    const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    // In one chunk, and with the next one on its way while the answer is made.
    for (const chunks of [[request.repeat(1_000)], [request, request.repeat(1_000)]]) {
      served = 0;
      const client = connect(server.port, "127.0.0.1").setNoDelay(true);
      client.on("error", () => {});
      for (const chunk of chunks) client.write(chunk);
      let text = "";
      client.setEncoding("latin1").on("data", (piece: string) => void (text += piece));
      await new Promise((resolve) => client.once("close", resolve));
      assert.equal(text.match(/^HTTP\/1\.1 200 OK\r$/gm)?.length, served, text);
      assert.ok(served <= chunks.length, `${served} of ${chunks.length}`);
    }
    // One after the other on one connection.
    const client = connect(server.port, "127.0.0.1");
    for (served = 0; served < 3;) {
      client.write(request);
      await new Promise((resolve) => client.once("data", resolve));
    }
    client.destroy();
  },
);

leakTest("a request that expects what nobody knows is answered as others are", async () => {
  await using server = await serveHttp(local, () => new Response("page"), systemClock);
  const client = connect(server.port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nConnection: close\r\n\r\n");
  let text = "";
  client.setEncoding("latin1").on("data", (piece: string) => void (text += piece));
  await new Promise((resolve) => client.once("end", resolve));
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  client.destroy();
});

leakTest("a request with a body is answered, and is the last of its connection, whatever its body", async () => {
  const page = new Uint8Array([0, 0xff, 0x80]);
  await using server = await serveHttp(
    local,
    (request) =>
      new Response(request.method === "POST" ? page : "", { headers: { "content-type": "application/gzip" } }),
    systemClock,
  );
  for (
    const body of [
      "Content-Length: 3\r\n\r\nabc",
      "Content-Length: 99999\r\n\r\na",
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ]
  ) {
    const client = connect(server.port, "127.0.0.1");
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${body}`);
    let text = "";
    client.setEncoding("latin1").on("data", (piece: string) => void (text += piece));
    await new Promise((resolve) => client.once("end", resolve));
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /\r\nconnection: close\r\n(?:.*\r\n)*\r\n\0\xff\x80$/);
    client.destroy();
  }
});
