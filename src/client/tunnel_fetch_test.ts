import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type FakeProxy, relayConnectProxy, relayGrpcProxy } from "../../tests/support/fakes/fake_proxy.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { testCertificates } from "../../tests/support/in_process/test_certificates.ts";
import { until } from "../../tests/support/assert/until.ts";
import { fetchOver, type ProxyClient } from "./mod.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface Site extends AsyncDisposable {
  readonly url: string;
  readonly open: number;
}

/** An HTTP server to fetch from; with `tls` one that speaks https. */
async function site(handle: Handler, tls = false): Promise<Site> {
  const { server: pair } = await testCertificates();
  const server = tls ? createTlsServer({ cert: pair.certPem, key: pair.keyPem }, handle) : createServer(handle);
  const sockets = new Set<Socket>();
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://localhost:${port}`,
    get open() {
      return sockets.size;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A client of each kind of proxy. */
function fetchTest(title: string, body: (client: ProxyClient) => Promise<void>): void {
  const proxies: Record<string, () => Promise<FakeProxy>> = { grpc: relayGrpcProxy, "http-connect": relayConnectProxy };
  for (const [mode, start] of Object.entries(proxies)) {
    leakTest(`${title} (${mode})`, async () => {
      await using proxy = await start();
      await using client = await proxy.connect();
      await body(client);
      await until("no tunnel is left", () => client.gauges.open === 0);
    });
  }
}

/** Answers with what was asked. */
const mirror: Handler = async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  response.writeHead(201, "Made Up", { "x-one": ["a", "b"], "content-type": "application/json" });
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
};

fetchTest("a response has status, text, headers and body of what the destination sent", async (client) => {
  await using destination = await site(mirror);
  const response = await client.fetch(`${destination.url}/a/b?c=d&e=%20`);
  assert.deepEqual([response.status, response.statusText, response.headers.get("x-one")], [201, "Made Up", "a, b"]);
  const seen = await response.json();
  assert.deepEqual([seen.method, seen.url, seen.body], ["GET", "/a/b?c=d&e=%20", ""]);
  assert.equal(seen.headers.host, new URL(destination.url).host);
  assert.equal(seen.headers.connection, "close");
});

fetchTest("methods, headers and bodies of known length go through as they are", async (client) => {
  await using destination = await site(mirror);
  const response = await client.fetch(destination.url, {
    method: "PUT",
    headers: { "user-agent": "me/1", "x-two": "2", host: "other.example" },
    body: "héllo",
  });
  const { method, headers, body } = await response.json();
  assert.deepEqual([method, body], ["PUT", "héllo"]);
  assert.deepEqual(
    [headers["user-agent"], headers["x-two"], headers.host, headers["content-length"], headers["transfer-encoding"]],
    ["me/1", "2", "other.example", "6", undefined],
  );
});

fetchTest("a body that is a stream, or that of a Request, is sent as it comes", async (client) => {
  await using destination = await site(mirror);
  const body = ReadableStream.from(["one ", "two ", "three"]).pipeThrough(new TextEncoderStream());
  const streamed = await (await client.fetch(destination.url, { method: "POST", body })).json();
  assert.deepEqual([streamed.body, streamed.headers["transfer-encoding"]], ["one two three", "chunked"]);
  const request = new Request(destination.url, { method: "POST", body: "from a request" });
  assert.equal((await (await client.fetch(request)).json()).body, "from a request");
});

fetchTest("a body stream that fails breaks the request off with its error", async (client) => {
  await using destination = await site(mirror);
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("the disk is gone")),
  });
  await assert.rejects(client.fetch(destination.url, { method: "POST", body }), /the disk is gone/);
});

fetchTest("responses without a body have none, and leave no tunnel behind", async (client) => {
  await using destination = await site((request, response) => {
    response.writeHead(request.url === "/none" ? 204 : 200, request.url === "/none" ? {} : { "content-length": "5" });
    response.end();
  });
  const none = await client.fetch(`${destination.url}/none`);
  assert.deepEqual([none.status, none.body], [204, null]);
  const head = await client.fetch(destination.url, { method: "HEAD" });
  assert.deepEqual([head.body, head.headers.get("content-length")], [null, "5"]);
});

fetchTest("a redirect is returned, not followed", async (client) => {
  await using destination = await site((_, response) => response.writeHead(302, { location: "/there" }).end());
  const response = await client.fetch(destination.url);
  assert.deepEqual([response.status, response.headers.get("location")], [302, "/there"]);
  await response.body?.cancel();
});

fetchTest("a large body that is read slowly arrives whole, and stops the destination meanwhile", async (client) => {
  let sent = 0;
  const block = new Uint8Array(64 * 1024).fill(3);
  await using destination = await site(async (_, response) => {
    for (let i = 0; i < 640; i++) {
      sent += block.length;
      if (!response.write(block)) await new Promise<void>((resolve) => response.once("drain", resolve));
    }
    response.end();
  });
  const response = await client.fetch(destination.url);
  await until("the destination is stopped", async () => {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return before > 0 && sent === before;
  });
  assert.ok(sent < 640 * block.length, "all was taken, though nobody read");
  assert.equal((await response.arrayBuffer()).byteLength, 640 * block.length);
});

fetchTest("cancelling the body leaves the destination", async (client) => {
  await using destination = await site((_, response) => void response.write("part"));
  const response = await client.fetch(destination.url);
  await response.body?.cancel();
  await until("the destination is left", () => destination.open === 0);
});

fetchTest("a body that is cut off is an error, by length and by chunks", async (client) => {
  await using destination = await site((request, response) => {
    if (request.url === "/length") response.writeHead(200, { "content-length": "100" });
    response.write("part");
    setTimeout(() => response.destroy(), 20);
  });
  for (const path of ["/length", "/chunks"]) {
    const response = await client.fetch(destination.url + path);
    await assert.rejects(response.text(), (error: { code?: string }) => {
      return error.code === "bad-http" || error.code === "connection-broken";
    });
  }
});

fetchTest("a destination that hangs up without an answer, or answers nonsense, is bad-http", async (client) => {
  await using destination = await site((request) => {
    if (request.url === "/nonsense") request.socket.end("NONSENSE\r\n\r\n");
    else request.socket.end();
  });
  await assert.rejects(client.fetch(destination.url), { name: "ProxyError", code: "bad-http" });
  await assert.rejects(client.fetch(`${destination.url}/nonsense`), { name: "ProxyError", code: "bad-http" });
});

fetchTest("a destination that is not there is the dial's error", async (client) => {
  let gone: string;
  {
    await using destination = await site(mirror);
    gone = destination.url;
  }
  await assert.rejects(client.fetch(gone), { code: "endpoint" });
});

fetchTest("an abort rejects with the signal's reason, before and after the response began", async (client) => {
  await using destination = await site((request, response) => {
    if (request.url === "/part") response.write("part");
  });
  const why = new Error("enough");
  await assert.rejects(client.fetch(destination.url, { signal: AbortSignal.abort(why) }), why);
  const waiting = new AbortController();
  const fetching = client.fetch(destination.url, { signal: waiting.signal });
  const rejected = assert.rejects(fetching, why);
  await until("the request is there", () => destination.open === 1);
  waiting.abort(why);
  await rejected;
  const reading = new AbortController();
  const response = await client.fetch(`${destination.url}/part`, { signal: reading.signal });
  const broken = assert.rejects(response.text(), why);
  reading.abort(why);
  await broken;
  await until("the destination is left", () => destination.open === 0);
});

fetchTest("https is checked end to end, by the authorities that are given", async (client) => {
  await using destination = await site(mirror, true);
  const { ca } = await testCertificates();
  const tls = { ca: ca.certPem };
  const response = await client.fetch(`${destination.url}/x`, { method: "POST", body: "secret", tls });
  assert.equal((await response.json()).body, "secret");
  const byAddress = destination.url.replace("localhost", "127.0.0.1");
  assert.equal((await (await client.fetch(byAddress, { tls })).json()).url, "/");
  await assert.rejects(client.fetch(destination.url), { code: "destination-tls" });
  const otherName = { ...tls, serverName: "elsewhere.example" };
  await assert.rejects(client.fetch(destination.url, { tls: otherName }), { code: "destination-tls" });
});

fetchTest("a destination that speaks no TLS is destination-tls for https", async (client) => {
  await using destination = await site(mirror);
  const url = destination.url.replace("http:", "https:");
  await assert.rejects(client.fetch(url), (error: { code?: string }) => {
    return error.code === "destination-tls" || error.code === "bad-http";
  });
});

fetchTest("only http and https are fetched, and nothing is dialled for the rest", async (client) => {
  await assert.rejects(client.fetch("ftp://localhost/x"), TypeError);
  await assert.rejects(client.fetch("/relative"), TypeError);
});

fetchTest("over a tunnel of the caller's own the connection can be kept", async (client) => {
  await using destination = await site(mirror);
  await using tunnel = await client.dial(new URL(destination.url).host);
  const response = await fetchOver(tunnel, destination.url, { headers: { connection: "keep-alive" } });
  assert.equal((await response.json()).headers.connection, "keep-alive");
  assert.equal(destination.open, 1);
  assert.equal(client.gauges.open, 1);
});

fetchTest("20 fetches at once do not meet each other", async (client) => {
  await using destination = await site(mirror);
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const response = await client.fetch(`${destination.url}/${i}`);
    assert.equal((await response.json()).url, `/${i}`);
  }));
});
